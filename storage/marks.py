"""Marks: how far each partition of the log is applied. Their row locks are the fence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.lookups import Lookups, looked_up
from storage.rows import Writes, insert_rows, reader_of
from storage.schema import log_epochs, partition_marks
from storage.sets import one_of


@dataclass(slots=True)
class Mark:
    """The next offset to apply, and the broker time of the last record applied.

    Every row below `published_offset` is published: the broker has its events and its outcome.
    """

    topic: str
    partition: int
    epoch: int
    next_offset: int
    last_timestamp_ms: int
    published_offset: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """The partition whose mark this is."""
        return self.topic, self.partition


class LockedMarks(NamedTuple):
    """Marks by partition, locked. `waited`: another transaction moved one of them meanwhile.

    What was asked together with them is then older than they are.
    """

    marks: dict[int, Mark]
    waited: bool


_names, _row = reader_of(Mark)
_columns = [partition_marks.c[name] for name in _names]
# A lock shows a row as it is once the lock is there, a query beside it as it was before the wait.
_seen = partition_marks.alias("seen")
_seen_offset = (
    sa.select(_seen.c.next_offset)
    .where(
        _seen.c.topic == partition_marks.c.topic, _seen.c.partition == partition_marks.c.partition
    )
    .scalar_subquery()
)
_marks_to_move = (
    sa.select(*_columns, _seen_offset)
    .where(
        partition_marks.c.topic == sa.bindparam("of_topic"),
        one_of(partition_marks.c.partition, "partitions"),
    )
    .order_by(partition_marks.c.partition)
    .with_for_update(of=partition_marks)
)


async def lock_marks(
    connection: AsyncConnection, topic: str, partitions: Iterable[int]
) -> dict[int, Mark]:
    """Lock the marks of these partitions, in order, until the transaction ends.

    Two workers that both believe they own a partition meet here: the second one waits, and
    then finds the mark moved.
    """
    locked = await looked_up(connection, lambda lookups: ask_marks(lookups, topic, partitions))
    return locked.marks


def ask_marks(
    lookups: Lookups, topic: str, partitions: Iterable[int]
) -> Callable[[], LockedMarks]:
    """Gather the locking of marks, see `lock_marks`."""
    named = {"of_topic": topic, "partitions": sorted(set(partitions))}
    rows = lookups.ask(_marks_to_move, named)

    def locked() -> LockedMarks:
        marks = {mark.partition: mark for mark in (Mark(*row[:-1]) for row in rows)}
        return LockedMarks(marks, any(marks[row[1]].next_offset != row[-1] for row in rows))

    return locked


def save_marks(writes: Writes, marks: Iterable[Mark]) -> None:
    """Move marks that exist."""
    writes.update(partition_marks, _names, map(_row, marks))


async def move_mark(
    connection: AsyncConnection, partition: tuple[str, int], span: tuple[int, int], epoch: int
) -> None:
    """Move a mark from where it is expected to an offset; one that has moved on stays."""
    where = (
        partition_marks.c.topic == partition[0],
        partition_marks.c.partition == partition[1],
        partition_marks.c.next_offset == span[0],
        partition_marks.c.epoch == epoch,
    )
    await connection.execute(sa.update(partition_marks).where(*where).values(next_offset=span[1]))


async def raise_published(connection: AsyncConnection, mark: Mark, offset: int) -> None:
    """Let a mark know that its rows up to an offset are published; it never goes back."""
    where = (
        partition_marks.c.topic == mark.topic,
        partition_marks.c.partition == mark.partition,
        partition_marks.c.epoch == mark.epoch,
        partition_marks.c.published_offset < offset,
        partition_marks.c.next_offset >= offset,
    )
    await connection.execute(
        sa.update(partition_marks).where(*where).values(published_offset=offset)
    )


async def load_marks(connection: AsyncConnection) -> dict[tuple[str, int], Mark]:
    """Load every mark, without a lock."""
    found = await connection.execute(sa.select(*_columns))
    return {(row.topic, row.partition): Mark(*row) for row in found}


async def insert_marks(connection: AsyncConnection, marks: Iterable[Mark]) -> None:
    """Make the marks of a log that is seen for the first time."""
    await insert_rows(connection, partition_marks, _names, map(_row, marks))


async def delete_marks(connection: AsyncConnection) -> None:
    """Forget every mark, for a new log epoch."""
    await connection.execute(partition_marks.delete())


@dataclass(frozen=True, slots=True)
class LogEpoch:
    """Which Kafka log this database belongs to."""

    epoch: int
    cluster_id: str
    adopted_at_ms: int


async def find_log_epoch(connection: AsyncConnection) -> LogEpoch | None:
    """Find the current log epoch; None before the first worker ever started."""
    query = sa.select(log_epochs).order_by(log_epochs.c.epoch.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return None if row is None else LogEpoch(*row)


async def insert_log_epoch(connection: AsyncConnection, epoch: LogEpoch) -> None:
    """Begin a log epoch."""
    values = {name: getattr(epoch, name) for name in LogEpoch.__dataclass_fields__}
    await connection.execute(log_epochs.insert(), values)
