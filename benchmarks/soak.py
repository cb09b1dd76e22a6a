"""Whether memory stays where it is: an hour at a share of what this machine can do.

`python -m benchmarks.soak` starts real services, an edge and a worker, measures how much they can
do of a mixed work, and sends a share of that for an hour, reading their memory. After a warm-up it
must be flat. Exit 1: it was not, or something was counted wrongly.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.services.errors import StartError
from benchmarks.cpu import cpu_seconds, resident_bytes
from benchmarks.fairline import Fairline, fairline_alone
from benchmarks.load import Answers, Load, send
from benchmarks.machine import ROOT, Circumstances, circumstances

JSON = ROOT / ".fairline" / "benchmarks" / "soak.json"
OURS = ("edge", "worker")
GROWTH_MB_MAX = 2.0
"""By so much may a process grow in an hour."""
CONNECTIONS = 64
PACE_TRIES = 4
PACE_SECONDS = 12
PACE_TOLERANCE = 0.03
READ_SECONDS = 10.0
TOLD_SECONDS = 60.0
MB = 1024 * 1024
CODES = tuple(f"ROUND{number}" for number in range(PACE_TRIES + 2))
"""A coupon for each round, since a user gets one only once: capacity, tries of the pace, soak."""
PRODUCT_ID = 1


class Reading(msgspec.Struct):
    """The memory of each part, in MB, so many seconds after the beginning."""

    seconds: float
    megabytes: dict[str, float]


class Soak(msgspec.Struct):
    """What an hour has shown."""

    circumstances: Circumstances
    capacity_per_second: float
    answers: Answers
    growth_mb_per_hour: dict[str, float]
    cpu_seconds: dict[str, float]
    readings: list[Reading]
    agrees: bool
    """Whether the sums of the database agree with each other."""

    @property
    def is_flat(self) -> bool:
        """Tell whether edge and worker kept what they had."""
        return all(self.growth_mb_per_hour[part] < GROWTH_MB_MAX for part in OURS)


@dataclass(frozen=True)
class Plan:
    """How long, and how much of what is possible."""

    seconds: int
    warm_seconds: int
    capacity_seconds: int
    share: float


def growth_per_hour(readings: Sequence[Reading], part: str) -> float:
    """Return the slope of a part's memory, in MB per hour, by least squares."""
    hours = [reading.seconds / 3600 for reading in readings]
    return statistics.linear_regression(hours, [r.megabytes[part] for r in readings]).slope


def next_pause_ms(pause_ms: int, measured_per_second: float, wanted_per_second: float) -> int:
    """Return how long each connection must rest, given what a pause has led to.

    A connection's round is its pause and the answer's time (Little's law); the latter is taken to
    stay as it was.
    """
    answer_ms = CONNECTIONS / measured_per_second * 1000 - pause_ms
    return max(0, round(CONNECTIONS / wanted_per_second * 1000 - answer_ms))


async def soak(plan: Plan, folder: Path) -> Soak:
    """Start everything, find the capacity, send a share of it, and read memory meanwhile."""
    around = circumstances("wrk")
    async with fairline_alone(folder, "soak", around) as side:
        return await measure(plan, side, around)


async def measure(plan: Plan, side: Fairline, around: Circumstances) -> Soak:
    """Find the capacity, then soak."""
    for code in CODES:
        await side.open_coupon(code)
    await side.open_product(PRODUCT_ID)
    full = await send(load_of(side, 0, plan.capacity_seconds))
    capacity = full.accepted / full.seconds
    print(f"capacity: {capacity:,.0f}/s", flush=True)
    pause_ms = await find_pause_ms(side, capacity, capacity * plan.share)
    used = cpu_seconds(side.part_to_pid)
    readings: list[Reading] = []
    reading = asyncio.create_task(keep_reading(side, readings))
    try:
        answers = await send(load_of(side, len(CODES) - 1, plan.seconds, pause_ms))
    finally:
        reading.cancel()
    spent = cpu_seconds(side.part_to_pid)
    steady = [each for each in readings if each.seconds >= plan.warm_seconds]
    return Soak(
        circumstances=around,
        capacity_per_second=capacity,
        answers=answers,
        growth_mb_per_hour={part: growth_per_hour(steady, part) for part in side.part_to_pid},
        cpu_seconds={part: spent[part] - used[part] for part in used},
        readings=readings,
        agrees=(await side.ledger.applied("coupon", CODES[-1])).agrees,
    )


async def find_pause_ms(side: Fairline, capacity: float, wanted_per_second: float) -> int:
    """Try pauses until the load comes near to what is wanted."""
    pause_ms = next_pause_ms(0, capacity, wanted_per_second)
    for number in range(1, PACE_TRIES + 1):
        tried = await send(load_of(side, number, PACE_SECONDS, pause_ms))
        per_second = tried.accepted / tried.seconds
        print(f"a pause of {pause_ms} ms: {per_second:,.0f}/s", flush=True)
        if abs(per_second / wanted_per_second - 1) < PACE_TOLERANCE:
            break
        pause_ms = next_pause_ms(pause_ms, per_second, wanted_per_second)
    return pause_ms


def load_of(side: Fairline, number: int, seconds: int, pause_ms: int = 0) -> Load:
    """Return the work of a round: 0 is the capacity's, the last one the soak's."""
    return Load("shop", side.url, CONNECTIONS, seconds, number, CODES[number], pause_ms)


async def keep_reading(side: Fairline, readings: list[Reading]) -> None:
    """Read the memory again and again until cancelled; a line each minute."""
    started, told = time.monotonic(), 0.0
    while True:
        seconds = time.monotonic() - started
        held = resident_bytes(side.part_to_pid)
        readings.append(Reading(seconds, {part: n / MB for part, n in held.items()}))
        if seconds >= told:
            told += TOLD_SECONDS
            shown = ", ".join(f"{p} {readings[-1].megabytes[p]:.1f} MB" for p in held)
            print(f"{seconds:6.0f} s: {shown}", flush=True)
        await asyncio.sleep(READ_SECONDS)


def tell(found: Soak, say: Callable[[str], None] = print) -> None:
    """Print what was found."""
    per_second = found.answers.accepted / found.answers.seconds
    share = per_second / found.capacity_per_second
    say(f"{per_second:,.0f}/s for {found.answers.seconds / 60:.0f} min, {share:.0%} of capacity")
    say(f"statuses {found.answers.statuses}, p99 {found.answers.p99_ms:.0f} ms")
    for part, growth in found.growth_mb_per_hour.items():
        last = found.readings[-1].megabytes[part]
        bound = f" (below {GROWTH_MB_MAX:.0f} is asked)" if part in OURS else ""
        say(f"{part}: {last:.1f} MB at the end, {growth:+.2f} MB/h{bound}")
    if not found.agrees:
        say("the sums of the database do not agree")


def main() -> None:
    """Read the command line, soak, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-minutes", type=float, default=15)
    parser.add_argument("--share", type=float, default=0.6, help="of the capacity")
    parser.add_argument("--capacity-seconds", type=int, default=30)
    told = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("the soak needs wrk: our own client cannot send at a fixed pace")
    seconds, warm = round(told.minutes * 60), round(told.warm_minutes * 60)
    plan = Plan(seconds, warm, told.capacity_seconds, told.share)
    folder = Path(tempfile.mkdtemp(prefix="fairline-soak-"))
    try:
        found = asyncio.run(soak(plan, folder))
    except StartError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    tell(found)
    sys.exit(0 if found.is_flat and found.agrees else 1)


if __name__ == "__main__":
    main()
