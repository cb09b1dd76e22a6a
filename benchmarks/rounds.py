"""One round: a load on one side, its answers checked against the database, its CPU time taken."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from benchmarks.cpu import cpu_seconds, foreign_seconds
from benchmarks.ledger import Applied
from benchmarks.load import Answers, Load, send
from benchmarks.sides import Side

SETTLE_SECONDS = 30.0
SETTLE_LOOK_SECONDS = 0.5
STILL_SECONDS_MAX = 5.0

Sending = Callable[[Load], Awaitable[Answers]]
"""Sends a load and tells what came back."""


class Round(msgspec.Struct):
    """What one side did in one run of the load."""

    work: str
    side: str
    connections: int
    number: int
    answers: Answers
    applied: int
    faults: list[str]
    transactions: int
    """That the side's database has committed meanwhile, a handful of ours included."""
    cpu_seconds: dict[str, float]
    standing_by_seconds: float
    """CPU seconds that the other side's own processes and the broker used meanwhile."""
    foreign_share: float
    """Of the machine's CPU time, what went to processes that have no part in the run."""

    @property
    def per_second(self) -> float:
        """Commands that were answered as done, per second."""
        return self.answers.accepted / self.answers.seconds

    def cpu_ms(self, part: str) -> float | None:
        """CPU milliseconds of one part per command done; None where it is not known."""
        if part not in self.cpu_seconds or not self.answers.accepted:
            return None
        return self.cpu_seconds[part] * 1000 / self.answers.accepted


async def run_round(side: Side, others: list[Side], load: Load, sending: Sending = send) -> Round:
    """Send the load, wait until the database rests, compare."""
    busy = set(side.part_to_pid.values())
    idle = {pid for other in others for pid in other.part_to_pid.values()} - busy
    pids = {str(pid): pid for pid in idle}
    before = await side.ledger.applied(load.work, load.code)
    reading = _Reading.take(side, pids)
    answers = await sending(load)
    used = _Reading.take(side, pids).since(reading)
    after = await _settled(side, load, answers, before.count + answers.written)
    applied = after.count - before.count
    return Round(
        work=load.work,
        side=side.name,
        connections=load.connections,
        number=load.round_number,
        answers=answers,
        applied=applied,
        faults=_faults(answers, applied, after, load.connections),
        transactions=after.transactions - before.transactions,
        cpu_seconds=used.side,
        standing_by_seconds=sum(used.others.values()),
        foreign_share=used.foreign / (os.cpu_count() or 1) / answers.seconds,
    )


@dataclass(frozen=True)
class _Reading:
    """CPU seconds at one moment, or between two."""

    side: dict[str, float]
    others: dict[str, float]
    foreign: float

    @classmethod
    def take(cls, side: Side, others: Mapping[str, int]) -> "_Reading":
        return cls(cpu_seconds(side.part_to_pid), cpu_seconds(others), foreign_seconds())

    def since(self, earlier: "_Reading") -> "_Reading":
        side = {part: self.side[part] - earlier.side[part] for part in self.side}
        others = {part: self.others[part] - earlier.others[part] for part in self.others}
        return _Reading(side, others, self.foreign - earlier.foreign)


async def _settled(side: Side, load: Load, answers: Answers, expected: int) -> Applied:
    """The count once it has reached the expected one and has stopped moving."""
    started = time.monotonic()
    # What was cut off at the end is on its way for as long as answers take.
    still_seconds = min(max(SETTLE_LOOK_SECONDS, answers.p99_ms / 1000), STILL_SECONDS_MAX)
    last, moved_at = await side.ledger.applied(load.work, load.code), started
    while (now := time.monotonic()) < started + SETTLE_SECONDS:
        if last.count >= expected and now >= moved_at + still_seconds:
            break
        await asyncio.sleep(SETTLE_LOOK_SECONDS)
        found = await side.ledger.applied(load.work, load.code)
        if found.count != last.count:
            moved_at = time.monotonic()
        last = found
    return last


def _faults(answers: Answers, applied: int, after: Applied, connections: int) -> list[str]:
    """What makes a round worthless: answers that the database does not bear out."""
    faults = []
    if not answers.accepted:
        faults.append("nothing was accepted")
    # At the end of the time every connection's last request is cut off, applied or not.
    most = answers.written + answers.undecided + connections
    if not answers.written <= applied <= most:
        faults.append(f"{answers.written} accepted, but {applied} in the database")
    if not after.agrees:
        faults.append("the sums of the database do not agree")
    return faults
