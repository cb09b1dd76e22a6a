"""The one place that applies a batch: lock, sort out, load, decide each, save, commit.

Design, "The life of one command", (a) to (e). Everything happens in one transaction; what
comes back is committed, and is to be published in this order.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.needs import needs_of
from domain.state import State
from storage.command_log import Disposition, LogRow, find_known, load_replayed, save_log_rows
from storage.dead_letter_actions import save_closings
from storage.engine import Database
from storage.marks import Mark, lock_marks, save_marks
from storage.rows import Writes
from storage.state import load_state, save_state
from streams.codec import CommandReader, Incoming, Poison
from streams.dead_letter_replays import load_replays
from streams.decisions import BatchDecider, Rulebook, Writing, key_of
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
        records = list({record.place: record for record in records}.values())
        topic = records[0].place.topic
        async with self.database.begin() as connection:
            marks = await lock_marks(connection, topic, {r.place.partition for r in records})
            self._check_epoch(marks)
            left = {number: self.published.left(mark) for number, mark in marks.items()}
            found = sort_out(records, marks, verified)
            applied = await self._load_applied(connection, topic, found.replayed, left)
            writing = await self._apply_fresh(connection, found, marks.values(), condemned or {})
        self.published.take(marks.values())
        note_batch([row.disposition for row in writing.rows], len(found.replayed))
        if found.fresh:
            self.note(writing)
        return applied + writing.rows

    async def _apply_fresh(
        self,
        connection: AsyncConnection,
        found: Sorted,
        marks: Collection[Mark],
        condemned: Mapping[Place, Poison],
    ) -> Writing:
        if not found.fresh:
            return Writing()
        incoming = [self._read(record, condemned) for record in found.fresh]
        decided = await self._decide(connection, incoming, found.now_ms)
        for mark in marks:
            mark.published_offset = self.published.arrived(mark)
        await _save(connection, decided, marks)
        return decided.writing

    def _check_epoch(self, marks: Mapping[int, Mark]) -> None:
        for mark in marks.values():
            if mark.epoch != self.rulebook.epoch:
                message = f"the database is at log epoch {mark.epoch}"
                raise EpochMovedError(message)

    def _read(self, record: Record, condemned: Mapping[Place, Poison]) -> Incoming:
        incoming = self.reader.read(record)
        poison = condemned.get(record.place)
        return replace(incoming, poison=poison) if poison else incoming

    async def _decide(
        self,
        connection: AsyncConnection,
        incoming: Sequence[Incoming],
        now_ms: Mapping[Place, int],
    ) -> BatchDecider:
        keys = [key for item in incoming if (key := key_of(item)) is not None]
        known = await find_known(connection, keys)
        replays = await load_replays(connection, incoming)
        needs = needs_of(
            item.command
            for item in incoming
            if item.command is not None
            and item.poison is None
            and (key_of(item) not in known or item.record.place in replays)
        )
        state = await load_state(connection, needs)
        decider = BatchDecider(self.rulebook, state, known, replays)
        for item in incoming:
            decider.decide(item, now_ms[item.record.place])
        return decider

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


async def _save(connection: AsyncConnection, decided: BatchDecider, marks: Iterable[Mark]) -> None:
    writes = Writes()
    save_state(writes, decided.state)
    writing = decided.writing
    save_log_rows(writes, writing.rows, writing.firsts, writing.letters)
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
