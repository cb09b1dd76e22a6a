"""The one place that applies a batch: lock, sort out, load, decide each, save, commit.

Design, "The life of one command", (a) to (e). Everything happens in one transaction; what
comes back is committed, and is to be published in this order.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.needs import needs_of
from domain.state import State
from storage.admin_actions import save_admin_actions
from storage.command_log import (
    CommandKey,
    Disposition,
    Known,
    LogRow,
    ask_known,
    load_replayed,
    save_log_rows,
)
from storage.dead_letter_actions import save_closings
from storage.engine import Database
from storage.lookups import Lookups
from storage.marks import Mark, ask_marks, save_marks
from storage.rows import Writes
from storage.state import ask_state, save_state
from streams.codec import CommandReader, Incoming, Poison
from streams.dead_letter_replays import load_replays
from streams.decisions import BatchDecider, Rulebook, Writing, key_of
from streams.kinds import ADMIN_TYPES
from streams.metrics import note_batch
from streams.outcomes import problem
from streams.published import Published
from streams.records import Place, Record


class HoleError(Exception):
    """Records between the mark and this one did not come."""

    def __init__(self, topic: str, partition: int, span: tuple[int, int]) -> None:
        self.topic = topic
        self.partition = partition
        self.first, self.end = span
        super().__init__(f"{topic}[{partition}] skipped from {self.first} to {self.end}")


class EpochMovedError(Exception):
    """Another log epoch was adopted while this worker ran."""


@dataclass(slots=True)
class Sorted:
    """The records of a batch by what is to be done with them."""

    fresh: list[Record] = field(default_factory=list)
    replayed: list[Record] = field(default_factory=list)
    now_ms: dict[Place, int] = field(default_factory=dict)
    """The time at which each fresh record is decided."""


def sort_out(
    records: Sequence[Record], marks: Mapping[int, Mark], verified: Collection[Place]
) -> Sorted:
    """Tell replays from fresh records, and move the marks past the fresh ones.

    Raises HoleError at a record that is ahead of its mark, unless the log was looked at and
    holds nothing before it (`verified`): transaction markers and compaction leave such gaps.
    """
    found = Sorted()
    for record in records:
        mark = marks[record.place.partition]
        offset = record.place.offset
        if offset < mark.next_offset:
            found.replayed.append(record)
            continue
        if offset > mark.next_offset and record.place not in verified:
            span = (mark.next_offset, offset)
            raise HoleError(record.place.topic, record.place.partition, span)
        mark.next_offset = offset + 1
        # A broker's clock may step back; an order's time must not.
        mark.last_timestamp_ms = max(mark.last_timestamp_ms, record.timestamp_ms)
        found.now_ms[record.place] = mark.last_timestamp_ms
        found.fresh.append(record)
    return found


@dataclass(frozen=True, slots=True)
class BatchApplier:
    """Applies batches of one installation's command topics to one database."""

    database: Database
    reader: CommandReader
    rulebook: Rulebook
    note: Callable[[Writing], None] = lambda _: None
    """Hears what each transaction has written, once it is committed."""
    published: Published = field(default_factory=Published)

    async def apply(
        self,
        records: Sequence[Record],
        *,
        verified: Collection[Place] = (),
        condemned: Mapping[Place, Poison] | None = None,
    ) -> list[LogRow]:
        """Apply records of one topic, ascending in each partition; return rows to publish.

        `condemned` are records that the database refuses: they become dead letters.
        """
        listed = {record.place: record for record in records}.values()
        batch = [self._read(record, condemned or {}) for record in listed]
        try:
            return await self._apply(batch, verified, trusting=True)
        except IntegrityError:
            # What a command makes is there: its id is older than ids are remembered.
            return await self._apply(batch, verified, trusting=False)

    async def _apply(
        self, batch: Sequence[Incoming], verified: Collection[Place], *, trusting: bool
    ) -> list[LogRow]:
        async with self.database.begin_batch() as connection:
            marks, known, state = await _load(connection, batch, trusting=trusting)
            self._check_epoch(marks)
            left = {number: self.published.left(mark) for number, mark in marks.items()}
            found = sort_out([incoming.record for incoming in batch], marks, verified)
            topic = batch[0].record.place.topic
            applied = await self._load_applied(connection, topic, found.replayed, left)
            fresh = [each for each in batch if each.record.place in found.now_ms]
            writing = Writing()
            if fresh:
                replays = await load_replays(connection, fresh)
                decider = BatchDecider(self.rulebook, state, known, replays)
                for incoming in fresh:
                    decider.decide(incoming, found.now_ms[incoming.record.place])
                for mark in marks.values():
                    mark.published_offset = self.published.arrived(mark)
                await _save(connection, decider, marks.values())
                writing = decider.writing
        self.published.take(marks.values())
        note_batch([row.disposition for row in writing.rows], len(found.replayed))
        if found.fresh:
            self.note(writing)
        return applied + writing.rows

    def _check_epoch(self, marks: Mapping[int, Mark]) -> None:
        for mark in marks.values():
            if mark.epoch != self.rulebook.epoch:
                message = f"the database is at log epoch {mark.epoch}"
                raise EpochMovedError(message)

    def _read(self, record: Record, condemned: Mapping[Place, Poison]) -> Incoming:
        incoming = self.reader.read(record)
        poison = condemned.get(record.place)
        return incoming._replace(poison=poison) if poison else incoming

    async def _load_applied(
        self,
        connection: AsyncConnection,
        topic: str,
        replayed: Sequence[Record],
        left: Mapping[int, range],
    ) -> list[LogRow]:
        """Load the rows of records that came again, and those that were never published.

        In the order of the log: none is published before what was left in front of it.
        """
        listed = _spans_of(replayed)
        listed += [(number, span[0], span[-1]) for number, span in left.items() if span]
        rows = await load_replayed(connection, self.rulebook.epoch, topic, listed)
        stored = {Place(row.topic, row.partition, row.offset): row for row in rows}
        came = {r.place: stored.get(r.place) or self._pruned(r) for r in replayed}
        unpublished = {
            place: row for place, row in stored.items() if place.offset in left[place.partition]
        }
        return [row for _, row in sorted((unpublished | came).items())]

    def _pruned(self, record: Record) -> LogRow:
        """Stand in for the row of a replayed record that was pruned: it was applied long ago."""
        told = problem(410, "ALREADY_APPLIED", "This record was applied; its outcome is gone.")
        decider = BatchDecider(self.rulebook, State(), {})
        incoming = self.reader.read(record)
        return decider.write(incoming, Disposition.REPEATED, told, record.timestamp_ms)


class _Loaded(NamedTuple):
    """What a batch begins with."""

    marks: dict[int, Mark]
    known: dict[CommandKey, Known]
    state: State


async def _load(
    connection: AsyncConnection, batch: Sequence[Incoming], *, trusting: bool
) -> _Loaded:
    """Lock the marks, and load all that is known of these commands and what they name.

    `trusting` takes it that nothing is there of what commands make under their own ids. The
    database refuses it twice, so that is found out; looking each time would be for nothing.
    """
    topic, partitions = batch[0].record.place.topic, {i.record.place.partition for i in batch}
    needs = needs_of(i.command for i in batch if i.command is not None and i.poison is None)
    if trusting:
        needs.charges, needs.created = set(), set()
    while True:
        lookups = Lookups()
        marks = ask_marks(lookups, topic, partitions)
        known = ask_known(lookups, (key for i in batch if (key := key_of(i)) is not None))
        state = ask_state(lookups, needs)
        await lookups.fetch(connection)
        locked = marks()
        # Whoever had to wait for a lock has read the rest before it. Now the locks are held.
        if not locked.waited:
            return _Loaded(locked.marks, known(), state())


async def _save(connection: AsyncConnection, decided: BatchDecider, marks: Iterable[Mark]) -> None:
    writes = Writes()
    save_state(writes, decided.state)
    writing = decided.writing
    save_log_rows(writes, writing.rows, writing.firsts, writing.letters)
    if done := [r for r in writing.firsts if r.type in ADMIN_TYPES and r.payload is not None]:
        save_admin_actions(writes, done)
    save_closings(writes, writing.closings.written, writing.closings.moved)
    save_marks(writes, marks)
    await writes.flush(connection)


def _spans_of(records: Iterable[Record]) -> list[tuple[int, int, int]]:
    """Return the first and the last offset of these records, by partition."""
    spans: dict[int, tuple[int, int]] = {}
    for record in records:
        offset = record.place.offset
        first, last = spans.get(record.place.partition, (offset, offset))
        spans[record.place.partition] = (min(first, offset), max(last, offset))
    return [(partition, first, last) for partition, (first, last) in spans.items()]
