"""What must hold between the rows of the command log: order, places, statuses, first rows."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

# The status of each disposition; a repeat has that of its first.
_STATUSES = {
    "APPLIED": range(200, 201),
    "REFUSED": range(400, 500),
    "CONFLICT": range(422, 423),
    "DEAD": range(400, 501),
}


class Partition(NamedTuple):
    """A partition of one log epoch."""

    epoch: int
    topic: str
    partition: int


class Line(NamedTuple):
    """Where a row stands in the line of its partition, and the time it was decided at."""

    partition: Partition
    offset: int
    at_ms: int

    def __str__(self) -> str:
        """Name the place as it is shown elsewhere."""
        return f"{self.partition.topic}[{self.partition.partition}] at {self.offset}"


class LogOrder:
    """Follows every partition through the ids. Memory: two numbers for each."""

    def __init__(self, epoch: int, marks: Mapping[tuple[str, int], int]) -> None:
        self._epoch = epoch
        self._marks = marks
        self._last: dict[Partition, Line] = {}
        self.absent = 0
        """How many offsets between two rows have none."""

    def add(self, line: Line) -> Iterator[str]:
        """Take the row with the next id, and say what is wrong with its place."""
        last = self._last.get(line.partition)
        if last is not None:
            self.absent += max(0, line.offset - last.offset - 1)
            if line.offset <= last.offset:
                yield f"{line} has a greater id than offset {last.offset}"
            if line.at_ms < last.at_ms:
                yield f"{line} is of {line.at_ms}, the row before it of {last.at_ms}"
        self._last[line.partition] = line
        yield from self._above_mark(line)

    def _above_mark(self, line: Line) -> Iterator[str]:
        epoch, topic, partition = line.partition
        if epoch < self._epoch:
            return
        mark = self._marks.get((topic, partition))
        if epoch > self._epoch or mark is None:
            yield f"{line} of epoch {epoch} has no mark"
        elif line.offset >= mark:
            yield f"{line} is not below its mark {mark}"


class Told(NamedTuple):
    """What a row tells of its command: how it ended, and by what it is known."""

    id: int
    disposition: str
    fingerprint: bytes | None
    status: int
    body: str


def status_faults(row: Told) -> Iterator[str]:
    """Say where a row's status is none of its disposition."""
    statuses = _STATUSES.get(row.disposition)
    if row.disposition == "REPEATED":
        return
    if statuses is None or row.status not in statuses:
        yield f"{row.disposition} with status {row.status}"


def later_faults(row: Told, first: Told | None) -> Iterator[str]:
    """Say where a repeat or a conflict does not agree with the first row of its command."""
    if row.disposition not in ("REPEATED", "CONFLICT"):
        return
    if first is None:
        yield f"{row.disposition}, and no first row"
        return
    if first.id >= row.id:
        yield f"{row.disposition} of a row that comes later"
    if row.disposition == "CONFLICT" and first.fingerprint == row.fingerprint:
        yield "CONFLICT with a row of the same fingerprint"
    if row.disposition == "REPEATED":
        if first.fingerprint != row.fingerprint:
            yield "REPEATED of a row with another fingerprint"
        if (first.status, first.body) != (row.status, row.body):
            yield "REPEATED with another outcome than its first row's"
