"""Back-pressure: how long a new command would wait in its partition, and whether that is too long.

Pure: clocks and offsets are arguments. Kept lean, for every write asks it.
"""

import math
from dataclasses import dataclass, field

from web.appointments import Appointments

# An idle partition shows no rate; a worker does many times this, and a burst must not be refused.
RATE_FLOOR = 500.0
# A partition with no progress for this long has lost its worker, or waits for a rebalance.
STALL_SECONDS = 2.0
# While nobody knows what waits, this many commands of this edge may wait in one partition.
UNKNOWN_MAX = 100
RETRY_SECONDS_MAX = 300
_SMOOTHING = 0.5
# What a line could do when it was last full is forgotten in minutes.
_FORGETTING = 0.01
# Who comes a little later than he might comes once. Who comes too early comes again, and the more
# do so, the slower goes the line.
_CAUTION = 1.1
# However much of the line is other edges', some of what is drained is this one's.
_SHARE_MIN = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator allows: the budget of the expected wait, and how long a rebalance takes."""

    queue_seconds_max: float = 2.0
    session_timeout_seconds: float = 8.0
    in_hand_max: int = 4000
    """Commands that one edge has in hand; reads find room beside them."""


@dataclass(slots=True)
class Line:
    """The line in one partition. Offsets are the next to be written, and the next to be applied.

    Both only grow here: the broker and the database tell them late, this edge's own
    acknowledgements and results often sooner.
    """

    end_offset: int | None = None
    next_offset: int | None = None
    rate: float = RATE_FLOOR
    outstanding: int = 0
    """Commands of this edge that wait for their results."""
    before: int = 0
    """Commands that are to be taken in hand before the one that asks."""
    moved_at: float | None = None
    """When it was last seen to move, or to be empty."""
    appointments: Appointments = field(default_factory=Appointments)
    _moved_to: int = 0
    _waited: int = 0

    def note_written(self, offset: int) -> None:
        """Note that the record at this offset is in the log."""
        if self.end_offset is not None and offset >= self.end_offset:
            self.end_offset = offset + 1

    def note_applied(self, offset: int) -> None:
        """Note that the record at this offset is applied."""
        if self.next_offset is not None and offset >= self.next_offset:
            self.next_offset = offset + 1

    def see_end(self, end_offset: int, known: int | None) -> None:
        """Learn the log's end from the broker; `known` is what was known when it was asked."""
        if known is not None and end_offset < known:
            self._start_over()
        self.end_offset = max(end_offset, self.end_offset or 0)

    @property
    def waiting(self) -> int | None:
        """How many commands wait; None while the log's end or the mark is unknown."""
        if self.end_offset is None or self.next_offset is None:
            return None
        return max(0, self.end_offset - self.next_offset)

    @property
    def share(self) -> float:
        """How much of what waits is this edge's: other edges plan with the rest."""
        waiting = max(self.waiting or 0, self.outstanding, 1)
        return max(_SHARE_MIN, self.outstanding / waiting)

    def see_mark(self, next_offset: int, known: int | None, now: float) -> None:
        """Learn the mark from the database, and how fast it moved; `known` as for the end."""
        if known is not None and next_offset < known:
            self._start_over()
        self.next_offset = max(next_offset, self.next_offset or 0)
        waiting = self.waiting or 0
        if self.moved_at is None:
            self._move(now, waiting)
            return
        applied, seconds = self.next_offset - self._moved_to, now - self.moved_at
        if applied and seconds > 0:
            is_busy = self._waited > 0 and waiting > 0
            self.rate = next_rate(self.rate, applied / seconds, is_busy=is_busy)
        if applied or not waiting:
            self._move(now, waiting)

    def start_at(self, next_offset: int, now: float) -> None:
        """Measure the rate from here on."""
        self.next_offset = next_offset
        self._move(now, self.waiting or 0)

    def _move(self, now: float, waiting: int) -> None:
        assert self.next_offset is not None
        self.moved_at, self._moved_to, self._waited = now, self.next_offset, waiting

    def _start_over(self) -> None:
        """Forget the offsets: they went back, so this is another log or another database."""
        self.end_offset = self.next_offset = self.moved_at = None


def next_rate(rate: float, measured: float, *, is_busy: bool) -> float:
    """Return the smoothed drain rate, in commands per second.

    A line that was never empty shows what its worker can do. One that ran empty shows only
    how many came, so it cannot speak for less than the floor, and only slowly against what was
    seen before.
    """
    if is_busy:
        return rate + _SMOOTHING * (max(measured, 1.0) - rate)
    seen = max(measured, RATE_FLOOR)
    return rate + (_SMOOTHING if seen > rate else _FORGETTING) * (seen - rate)


def is_stalled(line: Line, now: float) -> bool:
    """Tell whether nobody serves a line in which somebody waits."""
    moved_at = line.moved_at
    return moved_at is not None and now - moved_at > STALL_SECONDS and bool(line.waiting)


def may_join(line: Line, who: str, now: float, limits: Limits) -> bool:
    """Tell whether a command may join a line.

    Whoever comes back when told may join up to the whole budget. While some are to come back,
    others may join up to half of it only, so that nobody's kept place is taken, and none stays
    empty. A stall costs a session timeout on top of what waits.
    """
    if line.waiting is None:
        return line.outstanding < UNKNOWN_MAX
    seconds, seconds_max = expected_seconds(line), limits.queue_seconds_max
    if is_stalled(line, now):
        return seconds + limits.session_timeout_seconds <= seconds_max
    if seconds <= seconds_max / 2:
        return True
    if seconds > seconds_max:
        return False
    book = line.appointments
    book.forget_missed(now)
    return not book or book.is_due(who, now)


def retry_after(line: Line, who: str, now: float, limits: Limits) -> int | None:
    """Decide whether a command joins: None if it does, else the seconds to come back after."""
    if may_join(line, who, now, limits):
        if line.appointments:
            line.appointments.end(who)
        return None
    if line.waiting is None:
        return 1
    seconds = expected_seconds(line)
    if is_stalled(line, now):
        return _whole(seconds + limits.session_timeout_seconds - limits.queue_seconds_max)
    return _appointed(line, who, now, seconds - limits.queue_seconds_max / 2)


def expected_seconds(line: Line) -> float:
    """Return what a new command would wait: what is on its way to the log waits too."""
    return (max(line.waiting or 0, line.outstanding) + line.before) / line.rate


def _appointed(line: Line, who: str, now: float, seconds: float) -> int:
    """Tell somebody to come back once the line has room, and those before him have joined."""
    book = line.appointments
    if left := book.seconds_left(who, now):
        return _whole(left)
    before = 0.0 if book.is_due(who, now) else book.expected / (line.rate * line.share)
    told = _whole(seconds + before * _CAUTION)
    if told < RETRY_SECONDS_MAX:
        book.make(who, told, now)
    return told


def _whole(seconds: float) -> int:
    return min(RETRY_SECONDS_MAX, max(1, math.ceil(seconds)))
