"""Marks: how far each partition of the log is applied. Their row locks are the fence."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import Writes, insert_rows
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


_columns = [partition_marks.c[name] for name in Mark.__dataclass_fields__]


_marks_to_move = (
    sa.select(*_columns)
    .where(
        partition_marks.c.topic == sa.bindparam("of_topic"),
        one_of(partition_marks.c.partition, "partitions"),
    )
    .order_by(partition_marks.c.partition)
    .with_for_update()
)


async def lock_marks(
    connection: AsyncConnection, topic: str, partitions: Iterable[int]
) -> dict[int, Mark]:
    """Lock the marks of these partitions, in order, until the transaction ends.

    Two workers that both believe they own a partition meet here: the second one waits, and
    then finds the mark moved.
    """
    named = {"of_topic": topic, "partitions": sorted(set(partitions))}
    return {row.partition: Mark(*row) for row in await connection.execute(_marks_to_move, named)}


def save_marks(writes: Writes, marks: Iterable[Mark]) -> None:
    """Move marks that exist."""
    rows = [
        {
            "topic": mark.topic,
            "partition": mark.partition,
            "epoch": mark.epoch,
            "next_offset": mark.next_offset,
            "last_timestamp_ms": mark.last_timestamp_ms,
            "published_offset": mark.published_offset,
        }
        for mark in marks
    ]
    writes.update(partition_marks, rows)


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
    rows = [{name: getattr(mark, name) for name in Mark.__dataclass_fields__} for mark in marks]
    await insert_rows(connection, partition_marks, rows)


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
