"""Waiting for what may never come: by looking again and again, with a deadline."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

LOOK_SECONDS = 0.05


async def comes_true(
    look: Callable[[], bool | Coroutine[Any, Any, bool]], seconds_max: float
) -> bool:
    """Look again and again until it is so; False where that takes too long."""
    deadline = time.monotonic() + seconds_max
    while True:
        seen = look()
        if await seen if isinstance(seen, Coroutine) else seen:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
