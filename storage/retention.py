"""Takes old rows out of the command log, and remembers up to where it did.

What may go is for `streams.retention` to say; here it goes, a slice in each transaction. Of a
partition the oldest rows go first, so what was pruned is everything below one offset: a row that
is missing above it was lost. The rows of dead letters stay as long as the dead letters do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import Disposition
from storage.rows import reader_of
from storage.schema import accepted_commands, command_ids, command_log, pruned_partitions


class LogPartition(NamedTuple):
    """A partition of the command log, in one log epoch."""

    epoch: int
    topic: str
    partition: int


class Aged(NamedTuple):
    """A row of the command log, and its broker time."""

    offset: int
    accepted_at_ms: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken out of a partition: all rows below an offset, but for dead letters'.

    `pruned_until_ms` is the broker time of the newest of them; `pruned_rows` counts them.
    """

    epoch: int
    topic: str
    partition: int
    first_kept_offset: int = 0
    pruned_until_ms: int = 0
    pruned_rows: int = 0

    @property
    def place(self) -> LogPartition:
        """Return the partition that this is about."""
        return LogPartition(self.epoch, self.topic, self.partition)


_names, _row_of = reader_of(Pruned)
_columns = [pruned_partitions.c[name] for name in _names]
_place_columns = [command_log.c[name] for name in LogPartition._fields]


async def list_log_partitions(connection: AsyncConnection) -> list[LogPartition]:
    """List the partitions that have rows, of every epoch: by as many looks into an index."""
    found: list[LogPartition] = []
    query = sa.select(*_place_columns).order_by(*_place_columns).limit(1)
    while True:
        after = query.where(sa.tuple_(*_place_columns) > found[-1]) if found else query
        row = (await connection.execute(after)).first()
        if row is None:
            return found
        found.append(LogPartition(*row))


async def load_pruned(connection: AsyncConnection) -> dict[LogPartition, Pruned]:
    """Load what was pruned, by partition; one that never was is not there."""
    rows = [Pruned(*row) for row in await connection.execute(sa.select(*_columns))]
    return {pruned.place: pruned for pruned in rows}


async def lock_pruned(connection: AsyncConnection, place: LogPartition) -> Pruned:
    """Lock a partition against others that prune it, and return what was pruned.

    No batch takes this lock: marks are another table.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    begun = insert(pruned_partitions).on_conflict_do_nothing()
    await connection.execute(begun, dict(zip(_names, _row_of(Pruned(*place)), strict=True)))
    query = sa.select(*_columns).where(*_at(pruned_partitions, place)).with_for_update()
    return Pruned(*(await connection.execute(query)).one())


async def find_newest(connection: AsyncConnection, place: LogPartition) -> int | None:
    """Find the offset of a partition's newest row; None where it has no row."""
    query = sa.select(sa.func.max(command_log.c.offset)).where(*_at(command_log, place))
    newest: int | None = (await connection.execute(query)).scalar_one()
    return newest


async def load_oldest(
    connection: AsyncConnection, place: LogPartition, span: tuple[int, int], rows_max: int
) -> list[Aged]:
    """Load offset and time of the first rows of a span of offsets, its end excluded."""
    query = (
        sa.select(command_log.c.offset, command_log.c.accepted_at_ms)
        .where(*_at(command_log, place), *_within(command_log, span), _is_no_letter())
        .order_by(command_log.c.offset)
        .limit(rows_max)
    )
    return [Aged(*row) for row in await connection.execute(query)]


async def prune_rows(connection: AsyncConnection, known: Pruned, rows: Sequence[Aged]) -> None:
    """Take out these rows, the oldest of a locked partition, and their claims of command ids."""
    span = (rows[0].offset, rows[-1].offset + 1)
    leaving = (*_at(command_log, known.place), *_within(command_log, span), _is_no_letter())
    names = (command_log.c.principal, command_log.c.command_id)
    claims = sa.delete(command_ids).where(
        # A retry has a row as well; the claim is of its first record, and leaves with that.
        *_at(command_ids, known.place),
        *_within(command_ids, span),
        sa.tuple_(command_ids.c.principal, command_ids.c.command_id).in_(
            sa.select(*names).where(*leaving)
        ),
    )
    await connection.execute(claims)
    await connection.execute(sa.delete(command_log).where(*leaving))
    moved = {
        "first_kept_offset": span[1],
        "pruned_until_ms": rows[-1].accepted_at_ms,
        "pruned_rows": pruned_partitions.c.pruned_rows + len(rows),
    }
    where = _at(pruned_partitions, known.place)
    await connection.execute(sa.update(pruned_partitions).where(*where).values(moved))


async def count_accepted(connection: AsyncConnection, before_ms: int) -> int:
    """Count the promises of an outcome that are older than this."""
    query = sa.select(sa.func.count()).where(accepted_commands.c.accepted_at_ms < before_ms)
    return (await connection.execute(query)).scalar_one()


async def prune_accepted(connection: AsyncConnection, before_ms: int, rows_max: int) -> int:
    """Take out promises of an outcome that are older than this; tell how many."""
    key = (accepted_commands.c.command_id, accepted_commands.c.principal)
    oldest = (
        sa.select(*key)
        .where(accepted_commands.c.accepted_at_ms < before_ms)
        .order_by(accepted_commands.c.accepted_at_ms)
        .limit(rows_max)
    )
    gone = await connection.execute(
        sa.delete(accepted_commands).where(sa.tuple_(*key).in_(oldest))
    )
    return gone.rowcount


def _at(table: sa.Table, place: LogPartition) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in place._asdict().items()]


def _within(table: sa.Table, span: tuple[int, int]) -> list[sa.ColumnElement[bool]]:
    return [table.c.offset >= span[0], table.c.offset < span[1]]


def _is_no_letter() -> sa.ColumnElement[bool]:
    return command_log.c.disposition != Disposition.DEAD.value
