"""The other parts of the benchmark, run after the closed loop: each is a package of its own.

A part is asked for its figures, its lines of the report and its JSON; nothing else is known of it.
Pictures that it leaves in its folder (SVG) become the report's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.growth import report as growth
from benchmarks.limits import report as limits
from benchmarks.limits.measuring import measure as measure_limits
from benchmarks.limits.options import Options as LimitOptions
from benchmarks.open_loop import report as open_loop
from benchmarks.overload import report as overload
from benchmarks.report import PartFound


@dataclass(frozen=True)
class Part:
    """One of them: how it is run in a folder, and about how long that takes.

    It raises StartError or TimeoutError where it cannot be measured, and RuntimeError where what
    it has found does not add up.
    """

    name: str
    seconds: float
    run: Callable[[Path], Awaitable[PartFound]]


async def run_limits(options: LimitOptions, folder: Path) -> PartFound:
    """What the parts of Fairline can do by themselves."""
    found = await measure_limits(options, folder)
    if found.faults:
        raise RuntimeError("; ".join(found.faults))
    limits.draw(found, folder / "limits.svg")
    figures = {name: [value] for name, value in limits.figures(found).items()}
    result = msgspec.Raw(msgspec.json.encode(found))
    return PartFound("limits", figures, limits.to_markdown(found), result)


# Enough for the goals that speak of drains and reads, in the time that is left to them.
_SOME = LimitOptions(parts=("drain", "reads"), commands=40_000, seconds=3, read_rounds=3)
_ALL = (
    Part("some-limits", 240, partial(run_limits, _SOME)),
    Part("limits", 1_500, partial(run_limits, LimitOptions())),
    Part("open-loop", open_loop.planned_seconds(), open_loop.run),
    Part("overload", overload.planned_seconds(), overload.run),
    Part("growth", growth.planned_seconds(), growth.run),
)
PARTS: dict[str, Part] = {part.name: part for part in _ALL}
