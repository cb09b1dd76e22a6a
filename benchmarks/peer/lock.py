"""The peer's Redis lock: SET NX PX with a token, compare-and-delete by script."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from benchmarks.peer.shapes import Refused

LIFE_MS = 10_000
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class Lock:
    """Locks by name, tried for so long."""

    def __init__(self, redis: Redis, wait_seconds: float, pause_seconds: float) -> None:
        self._redis = redis
        self._unlock: AsyncScript = redis.register_script(UNLOCK)
        self._wait_seconds = wait_seconds
        self._pause_seconds = pause_seconds

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[None]:
        """Hold a lock; refused with 429 where it could not be had in time."""
        token = await self._take(name)
        if token is None:
            raise Refused(429, "TOO_MANY_WAITING")
        try:
            yield
        finally:
            # Unless the lock has run out and is another's by now.
            await self._unlock(keys=[f"lock:{name}"], args=[token])

    async def _take(self, name: str) -> str | None:
        token = secrets.token_hex(8)
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while not await self._redis.set(f"lock:{name}", token, nx=True, px=LIFE_MS):
            # A random pause: waiters in step would all come at once and then all be away.
            pause = self._pause_seconds * random.uniform(0.5, 1.5)
            if asyncio.get_running_loop().time() + pause >= deadline:
                return None
            await asyncio.sleep(pause)
        return token
