"""The run: the capacity of each side, then shares of it at fixed rates, the sides in turn."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import msgspec

from benchmarks.closed_loop import WITH_A_COUPON, all_sides, rotated
from benchmarks.load import Load, send
from benchmarks.machine import Circumstances, circumstances
from benchmarks.open_loop.asking import at_rate
from benchmarks.open_loop.sender import Heard
from benchmarks.plans import AROUND_SECONDS
from benchmarks.progress import Progress
from benchmarks.rounds import Round, Sending, run_round
from benchmarks.services import real_services
from benchmarks.sides import Side

WORKS = ("charge", "coupon", "mixed")
NAMES = ("Fairline", "lock, wait")
"""Of the peer's policies the one that serves most. The others refuse, or hold rows."""
CAPACITY_CONNECTIONS = 64
CONNECTIONS = 256


@dataclass(frozen=True)
class Options:
    """What is measured, and for how long."""

    works: tuple[str, ...] = WORKS
    shares: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    """Of the capacity of each side, as a closed loop has just measured it."""
    rounds: int = 3
    seconds: int = 10
    capacity_seconds: int = 6
    styles: tuple[str, ...] = ("mapped",)
    evenly: bool = False

    def planned_seconds(self) -> float:
        """About how long it takes when everything has been started."""
        runs = self.rounds * len(self.shares) * (self.seconds + AROUND_SECONDS)
        sides = 1 + len(self.styles)
        return len(self.works) * sides * (self.capacity_seconds + AROUND_SECONDS + runs)


SMOKE = Options(works=("charge",), shares=(0.3, 0.6), rounds=1, seconds=4, capacity_seconds=3)


class Point(msgspec.Struct):
    """One run: a side at a share of its capacity."""

    work: str
    side: str
    share: float
    rate: float
    """Requests per second that were due, in the mean."""
    number: int
    heard: Heard
    faults: list[str]
    cpu_seconds: dict[str, float]

    @property
    def done_per_second(self) -> float:
        """Requests that were answered as done, per second until the last answer."""
        return self.heard.accepted / self.heard.seconds


class Capacity(msgspec.Struct):
    """What a side does of a work in a closed loop, and what was wrong with that."""

    work: str
    side: str
    per_second: float
    faults: list[str]


class Found(msgspec.Struct):
    """All that a run has found."""

    circumstances: Circumstances
    capacities: list[Capacity]
    points: list[Point]

    @property
    def faults(self) -> list[str]:
        """Everything that did not bear checking."""
        told = [(f"{each.work}, {each.side}", each.faults) for each in self.capacities]
        for each in self.points:
            told.append((f"{each.work}, {each.side}, {each.share:.0%}", each.faults))
        return [f"{where}: {fault}" for where, faults in told for fault in faults]


async def measure(options: Options, folder: Path) -> Found:
    """Start services and sides, and measure."""
    around = circumstances("wrk for the capacity, benchmarks.open_loop")
    with real_services(folder) as services:
        around.services = services.products
        async with all_sides(services, folder, options.styles) as sides:
            return await measure_sides(options, sides, around)


async def measure_sides(options: Options, sides: Sequence[Side], around: Circumstances) -> Found:
    """Measure sides that are ready: those of them that are compared."""
    found, progress = Found(around, [], []), Progress(options.planned_seconds())
    for work in options.works:
        able = [each for each in sides if each.name.startswith(NAMES) and work in each.works]
        capacities = [await _capacity(side, work, options) for side in able]
        found.capacities += capacities
        for capacity in capacities:
            line = f"{work:7}{capacity.side:22} capacity {capacity.per_second:,.0f}/s"
            progress.step(options.capacity_seconds + AROUND_SECONDS, line)
        rates = {each.side: each.per_second for each in capacities}
        for number, share in product(range(1, options.rounds + 1), options.shares):
            for side in rotated(able, number):
                point = await _point(side, work, (share, number, rates[side.name]), options)
                found.points.append(point)
                progress.step(options.seconds + AROUND_SECONDS, line_of(point))
    return found


async def _capacity(side: Side, work: str, options: Options) -> Capacity:
    done = await _round(side, work, (0, options.capacity_seconds, CAPACITY_CONNECTIONS), send)
    return Capacity(work, side.name, done.per_second, done.faults)


async def _point(
    side: Side, work: str, where: tuple[float, int, float], options: Options
) -> Point:
    share, number, capacity = where
    sending = at_rate(capacity * share, evenly=options.evenly)
    done = await _round(side, work, (number, options.seconds, CONNECTIONS), sending)
    assert isinstance(done.answers, Heard)
    return Point(
        work=work,
        side=side.name,
        share=share,
        rate=capacity * share,
        number=number,
        heard=done.answers,
        faults=done.faults,
        cpu_seconds=done.cpu_seconds,
    )


async def _round(side: Side, work: str, shape: tuple[int, int, int], sending: Sending) -> Round:
    number, seconds, connections = shape
    code = "-"
    if work in WITH_A_COUPON:
        code = f"RATE-{uuid.uuid4().hex[:8]}"
        await side.open_coupon(code)
    load = Load(work, side.url, connections, seconds, number, code)
    return await run_round(side, [], load, sending)


def line_of(point: Point) -> str:
    """What is said of a run while others go on."""
    heard = point.heard
    what = f"{point.work:7}{point.side:22}{point.share:4.0%} of capacity, {point.rate:6,.0f}/s due"
    latencies = f"p50 {heard.p50_ms:6.1f}, p99 {heard.p99_ms:6.0f}, p99.9 {heard.p999_ms:6.0f} ms"
    return "; ".join([f"{what}: {point.done_per_second:6,.0f}/s done, {latencies}", *point.faults])
