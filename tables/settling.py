"""Tells whether the payments of the log are applied up to a point in it."""

from collections.abc import Awaitable, Callable, Mapping

from storage.marks import Mark
from streams.records import Partition

OffsetsAt = Callable[[int], Awaitable[Mapping[Partition, int]]]
"""Returns, for each partition of the payments' topic, the first offset from a time on."""


def unapplied(marks: Mapping[Partition, Mark], needed: Mapping[Partition, int]) -> str:
    """Say which marks are before the offsets needed; nothing where none is."""
    applied = {place: mark.next_offset for place, mark in marks.items()}
    behind = [
        f"{topic}[{partition}] {applied.get((topic, partition), 0)} of {offset}"
        for (topic, partition), offset in needed.items()
        if applied.get((topic, partition), 0) < offset
    ]
    return f"payments from before midnight are not applied: {', '.join(behind)}" if behind else ""
