"""The other parts of the benchmark, run after the closed loop: each is a package of its own.

A part is asked for its figures, its lines of the report and its JSON; nothing else is known of it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import PartFound


@dataclass(frozen=True)
class Part:
    """One of them: how it is run in a folder, and about how long that takes."""

    name: str
    seconds: float
    run: Callable[[Path], Awaitable[PartFound]]


PARTS: dict[str, Part] = {}
