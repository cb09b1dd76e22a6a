"""A part of the benchmark, run by itself: services in a folder, figures into another."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from app.services.errors import StartError

Found = TypeVar("Found")


def run_alone(
    name: str, results: Path | None, measure: Callable[[Path], Coroutine[Any, Any, Found]]
) -> tuple[Found, Path]:
    """Measure, and write what was found as JSON; return it, and the folder that it is in.

    `measure` is given a folder for its services, which is gone afterwards. Leaves with a line
    where something cannot be measured.
    """
    # Whoever ends us politely gets what Ctrl-C gets: all children stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = results or Path(tempfile.mkdtemp(prefix=f"fairline-{name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fairline-bench-") as services:
        try:
            found = asyncio.run(measure(Path(services)))
        except (StartError, TimeoutError) as error:
            sys.exit(f"not measured: {error}")
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return found, folder


def leave_if_worthless(faults: Iterable[str]) -> None:
    """Leave with 1 where something did not add up."""
    if listed := list(faults):
        sys.exit("\n".join(["these figures are worthless:", *listed]))
