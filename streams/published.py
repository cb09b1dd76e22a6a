"""How far the rows of each partition are published, as one worker knows it.

The marks remember it too (`published_offset`), but they learn it with the next batch, for that
costs nothing. So what lies between is either in the hands of this worker, or was left by one
that ended between its commit and its publishing.
"""

from collections.abc import Iterable, Sequence

from storage.command_log import LogRow
from storage.marks import Mark
from streams.records import Partition

Ends = Sequence[tuple[Partition, int]]
"""Partitions, and the offset behind each of what is meant there."""


class Published:
    """What this worker has taken on to publish, and what the broker has of it. Offsets are ends.

    Nothing is published before all that comes before it in its partition: not here, and not by
    another worker. So one offset for each partition says it all.
    """

    def __init__(self) -> None:
        self._taken: dict[Partition, int] = {}
        self._arrived: dict[Partition, int] = {}

    def left(self, mark: Mark) -> range:
        """Return the applied offsets that are not known as published, and not in hand here."""
        taken = self._taken.get(mark.key, 0)
        return range(max(mark.published_offset, taken), mark.next_offset)

    def arrived(self, mark: Mark) -> int:
        """Return up to where this partition is known as published, never beyond the mark."""
        return max(mark.published_offset, min(self._arrived.get(mark.key, 0), mark.next_offset))

    def take(self, marks: Iterable[Mark]) -> None:
        """Take on to publish what was left of these partitions, up to their marks."""
        _raise(self._taken, ((mark.key, mark.next_offset) for mark in marks))

    def arrive(self, ends: Ends) -> None:
        """Note that the broker has all of these partitions, up to these offsets."""
        _raise(self._taken, ends)
        _raise(self._arrived, ends)


def ends_of(rows: Iterable[LogRow]) -> Ends:
    """List the offset behind each of these rows."""
    return [((row.topic, row.partition), row.offset + 1) for row in rows]


def _raise(offsets: dict[Partition, int], ends: Iterable[tuple[Partition, int]]) -> None:
    for key, end in ends:
        offsets[key] = max(offsets.get(key, 0), end)
