"""The run: the capacity in a closed loop, then three times as many strangers as that."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.asking import ask_child
from benchmarks.cpu import resident_bytes
from benchmarks.fairline import Fairline, fairline_alone
from benchmarks.load import Load
from benchmarks.machine import Circumstances, circumstances
from benchmarks.overload import cores
from benchmarks.overload.visitors import Plan, Seen
from benchmarks.rounds import Round, run_round
from web.backlog import Limits

OURS = ("edge", "worker")
MB = 1024 * 1024
WAIT_SECONDS_MAX = Limits().queue_seconds_max
GOODPUT_MIN = 0.7
RIGHT_MIN = 0.9
# A crowd that waits outside is remembered, and what waits in line is held: that is bounded.
GROWTH_MB_MAX = 64.0
LATE_MS_MAX = 500.0
CONNECTIONS = 256


@dataclass(frozen=True)
class Options:
    """How much, and for how long."""

    times: float = 3.0
    seconds: float = 120.0
    capacity_seconds: int = 15
    patience_seconds: float = 480.0
    seed: int = 7


SMOKE = Options(seconds=10.0, capacity_seconds=4, patience_seconds=120.0)


class Reading(msgspec.Struct):
    """The memory of each part in MB, so many seconds after the first stranger came."""

    seconds: float
    megabytes: dict[str, float]


class Found(msgspec.Struct):
    """What the overload has shown."""

    circumstances: Circumstances
    capacity_per_second: float
    times: float
    load_seconds: float
    seen: Seen
    readings: list[Reading]
    cpu_seconds: dict[str, float]
    faults: list[str]

    @property
    def goodput(self) -> float:
        """What was served each second while strangers came, as a share of the capacity."""
        return self.seen.accepted_meanwhile / self.load_seconds / self.capacity_per_second

    @property
    def right(self) -> float:
        """Of those told to come back, the share that was served within twice that time."""
        return self.seen.right / max(1, self.seen.refused)

    def growth_mb(self, part: str) -> float:
        """What a part held at the end, beyond what it held when half of the load had come."""
        half = [r for r in self.readings if r.seconds >= self.load_seconds / 2]
        return half[-1].megabytes[part] - half[0].megabytes[part] if half else 0.0

    def shortfalls(self) -> list[str]:
        """List the goals of issue 7 that were missed."""
        seen = self.seen
        wait_ms = (WAIT_SECONDS_MAX + 1) * 1000
        told = {
            f"goodput {self.goodput:.0%} < {GOODPUT_MIN:.0%}": self.goodput < GOODPUT_MIN,
            f"p99 {seen.p99_ms:.0f} ms > {wait_ms:.0f} ms": seen.p99_ms > wait_ms,
            f"estimates right {self.right:.0%} < {RIGHT_MIN:.0%}": self.right < RIGHT_MIN,
            f"{seen.untold} refusals without Retry-After": seen.untold > 0,
        }
        for part in OURS:
            grown = self.growth_mb(part)
            told[f"{part} grew by {grown:.0f} MB"] = grown > GROWTH_MB_MAX
        return [line for line, is_missed in told.items() if is_missed]


async def measure(options: Options, folder: Path) -> Found:
    """Start services, an edge and a worker, and overload them."""
    with cores.core_for_visitors() as core:
        around = circumstances(f"benchmarks.overload {cores.told(core)}")
        async with fairline_alone(folder, "overload", around) as side:
            return await overload(options, side, around, core)


async def overload(
    options: Options, side: Fairline, around: Circumstances, core: int | None
) -> Found:
    """Measure the capacity, then overload a side that is ready; visitors keep to that core."""
    # The same visitors for the capacity, so that their own cost is in both.
    closed = Plan(side.url, 0, options.capacity_seconds, 1, connections=CONNECTIONS, core=core)
    full = await _visited(side, closed)
    print(f"capacity: {full.per_second:,.0f}/s", flush=True)
    readings: list[Reading] = []
    reading = asyncio.create_task(_keep_reading(side, readings))
    rate, patience = full.per_second * options.times, options.patience_seconds
    plan = Plan(side.url, rate, options.seconds, options.seed, patience, core=core)
    try:
        done = await _visited(side, plan)
    finally:
        reading.cancel()
    assert isinstance(done.answers, Seen)
    return Found(
        circumstances=around,
        capacity_per_second=full.per_second,
        times=options.times,
        load_seconds=options.seconds,
        seen=done.answers,
        readings=readings,
        cpu_seconds=done.cpu_seconds,
        faults=full.faults + done.faults + _faults(done.answers),
    )


async def _visited(side: Fairline, plan: Plan) -> Round:
    """Let visitors come, and compare what they saw with the database."""

    async def sending(_load: Load) -> Seen:
        return await ask_child("benchmarks.overload.visitors", plan, Seen)

    load = Load("charge", side.url, 0, round(plan.seconds), plan.seed)
    return await run_round(side, [], load, sending)


def _faults(seen: Seen) -> list[str]:
    """What makes a run worthless: a generator that could not keep up, or people who vanished."""
    faults = []
    if seen.broken:
        faults.append(f"{seen.broken} connections broke")
    if seen.late_p99_ms > LATE_MS_MAX:
        faults.append(f"the generator was late by {seen.late_p99_ms:.0f} ms")
    if others := set(seen.statuses) - {"200", "202", "429", "503"}:
        faults.append(f"statuses that nobody asked for: {sorted(others)}")
    return faults


async def _keep_reading(side: Fairline, readings: list[Reading]) -> None:
    started = time.monotonic()
    while True:
        held = resident_bytes(side.part_to_pid)
        megabytes = {part: number / MB for part, number in held.items()}
        readings.append(Reading(time.monotonic() - started, megabytes))
        await asyncio.sleep(1.0)
