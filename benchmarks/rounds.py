"""One round: a load on one side, its answers checked against the database, its CPU time taken."""

import asyncio
import time

import msgspec

from benchmarks.cpu import cpu_seconds
from benchmarks.load import Answers, Load, send
from benchmarks.sides import Applied, Side

SETTLE_SECONDS = 30.0


class Round(msgspec.Struct):
    """What one side did in one run of the load."""

    work: str
    side: str
    number: int
    answers: Answers
    applied: int
    faults: list[str]
    cpu_seconds: dict[str, float]
    standing_by_seconds: float
    """CPU seconds that the other side's own processes and the broker used meanwhile."""

    @property
    def per_second(self) -> float:
        """Commands that were answered as done, per second."""
        return self.answers.accepted / self.answers.seconds

    def cpu_ms(self, part: str) -> float | None:
        """CPU milliseconds of one part per command done; None where it is not known."""
        if part not in self.cpu_seconds or not self.answers.accepted:
            return None
        return self.cpu_seconds[part] * 1000 / self.answers.accepted


async def run_round(side: Side, others: list[Side], load: Load) -> Round:
    """Send the load, wait until the database rests, compare."""
    pids = {f"{other.name}: {part}": pid for other in others for part, pid in _own(other, side)}
    before = await side.ledger.applied(load.work, load.code)
    cpu_before, idle_before = cpu_seconds(side.part_to_pid), cpu_seconds(pids)
    answers = await send(load)
    cpu_after, idle_after = cpu_seconds(side.part_to_pid), cpu_seconds(pids)
    after = await _settled(side, load, before.count + answers.accepted)
    applied = after.count - before.count
    return Round(
        work=load.work,
        side=side.name,
        number=load.round_number,
        answers=answers,
        applied=applied,
        faults=_faults(answers, applied, after, load.connections),
        cpu_seconds={part: cpu_after[part] - cpu_before[part] for part in cpu_after},
        standing_by_seconds=sum(idle_after.values()) - sum(idle_before.values()),
    )


def _own(other: Side, side: Side) -> list[tuple[str, int]]:
    busy = set(side.part_to_pid.values())
    return [(part, pid) for part, pid in other.part_to_pid.items() if pid not in busy]


async def _settled(side: Side, load: Load, expected: int) -> Applied:
    """The count once it has reached the expected one and has stopped moving."""
    deadline = time.monotonic() + SETTLE_SECONDS
    last = await side.ledger.applied(load.work, load.code)
    while time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        now = await side.ledger.applied(load.work, load.code)
        if now == last and now.count >= expected:
            return now
        last = now
    return last


def _faults(answers: Answers, applied: int, after: Applied, connections: int) -> list[str]:
    """What makes a round worthless: answers that the database does not bear out."""
    faults = []
    if not answers.accepted:
        faults.append("nothing was accepted")
    # At the end of the time every connection's last request is cut off, applied or not.
    most = answers.accepted + answers.undecided + connections
    if not answers.accepted <= applied <= most:
        faults.append(f"{answers.accepted} accepted, but {applied} in the database")
    if not after.agrees:
        faults.append("the sums of the database do not agree")
    return faults
