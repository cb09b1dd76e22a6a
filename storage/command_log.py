"""The command log: one row per record, its outcome and events. Inbox and outbox in one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import clock_ms
from storage.lookups import Lookups, looked_up
from storage.rows import Writes, reader_of
from storage.schema import accepted_commands, command_ids, command_log, dead_letters
from storage.sets import one_of


class Disposition(StrEnum):
    """What became of a record."""

    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    REPEATED = "REPEATED"
    CONFLICT = "CONFLICT"
    DEAD = "DEAD"


class LogRow(NamedTuple):
    """One record's row: what it said, and what it came to. `events` is JSON, None for none.

    Each record makes one, and a tuple is made in a fifth of the time of a frozen dataclass.
    """

    epoch: int
    topic: str
    partition: int
    offset: int
    key: str | None
    command_id: str | None
    principal: str | None
    type: str | None
    fingerprint: bytes | None
    payload: str | None
    disposition: str
    status: int
    body: str
    events: str | None
    reply_to: int | None
    request_token: str | None
    accepted_at_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A record that could not be applied, byte for byte, and why."""

    epoch: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: str
    reason: str
    detail: str
    recorded_at_ms: int


class CommandKey(NamedTuple):
    """What a command is known by: an id is its principal's own."""

    principal: str
    command_id: str


class Known(NamedTuple):
    """The first outcome of a command, and the fingerprint that a retry must have."""

    fingerprint: bytes | None
    status: int
    body: str


_letter_names, _letter_row = reader_of(DeadLetterRow)
CLAIM_NAMES = ("principal", "command_id", "epoch", "topic", "partition", "offset")
claim_row = attrgetter(*CLAIM_NAMES)
_columns = [command_log.c[name] for name in LogRow._fields]
_same_place = sa.and_(
    command_ids.c.epoch == command_log.c.epoch,
    command_ids.c.topic == command_log.c.topic,
    command_ids.c.partition == command_log.c.partition,
    command_ids.c.offset == command_log.c.offset,
)


# A join may be planned as a walk over the log. This is a look for each claim that is found.
_known_by_id = sa.select(
    command_ids.c.principal,
    command_ids.c.command_id,
    *(
        sa.select(column).where(_same_place).scalar_subquery().label(column.name)
        for column in (command_log.c.fingerprint, command_log.c.status, command_log.c.body)
    ),
).where(one_of(command_ids.c.command_id, "command_ids"))


async def find_known(
    connection: AsyncConnection, keys: Iterable[CommandKey]
) -> dict[CommandKey, Known]:
    """Find which of these commands have an outcome already."""
    return await looked_up(connection, lambda lookups: ask_known(lookups, keys))


def ask_known(
    lookups: Lookups, keys: Iterable[CommandKey]
) -> Callable[[], dict[CommandKey, Known]]:
    """Gather the look-up of commands, see `find_known`."""
    wanted = set(keys)
    rows = lookups.ask(_known_by_id, {"command_ids": [key.command_id for key in wanted]})
    return lambda: {
        key: Known(*row[2:])
        for row in rows
        if (key := CommandKey(row[0], row[1])) in wanted and row[3] is not None
    }


async def load_replayed(
    connection: AsyncConnection, epoch: int, topic: str, spans: Sequence[tuple[int, int, int]]
) -> list[LogRow]:
    """Load the rows of records that came again, in log order.

    `spans` are (partition, first offset, last offset), ends included.
    """
    rows: list[LogRow] = []
    for partition, first, last in spans:
        query = (
            sa.select(*_columns)
            .where(
                command_log.c.epoch == epoch,
                command_log.c.topic == topic,
                command_log.c.partition == partition,
                command_log.c.offset.between(first, last),
            )
            .order_by(command_log.c.offset)
        )
        rows += [LogRow(*row) for row in await connection.execute(query)]
    return rows


def save_log_rows(
    writes: Writes,
    rows: Sequence[LogRow],
    firsts: Sequence[LogRow],
    letters: Sequence[DeadLetterRow],
) -> None:
    """Save the rows of a batch. `firsts` claim their command ids; a claim is unique."""
    writes.insert(command_log, LogRow._fields, rows)
    writes.insert(command_ids, CLAIM_NAMES, map(claim_row, firsts))
    writes.insert(dead_letters, _letter_names, map(_letter_row, letters))


class CommandStatus(NamedTuple):
    """What is known of a command id: accepted, or done with a status and a JSON body."""

    status: int | None
    body: str | None


async def find_command(
    connection: AsyncConnection, command_id: str, principal: str | None = None
) -> CommandStatus | None:
    """Find the outcome of a command, or that it was accepted; None where it is unknown.

    Ids are a principal's own; without one, the first in the log with this id counts.
    """
    query = (
        sa.select(command_log.c.status, command_log.c.body)
        .join_from(command_ids, command_log, _same_place)
        .where(command_ids.c.command_id == command_id, *_acting(command_ids, principal))
        .order_by(command_log.c.id)
        .limit(1)
    )
    done = (await connection.execute(query)).first()
    if done is not None:
        return CommandStatus(done.status, done.body)
    accepted = sa.select(accepted_commands.c.accepted_at_ms).where(
        accepted_commands.c.command_id == command_id, *_acting(accepted_commands, principal)
    )
    if (await connection.execute(accepted.limit(1))).first() is not None:
        return CommandStatus(None, None)
    return None


def _acting(table: sa.Table, principal: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if principal is None else [table.c.principal == principal]


_claimed_ids = sa.select(command_ids.c.command_id).where(
    one_of(command_ids.c.command_id, "command_ids")
)


async def find_claimed(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Find which of these command ids have an outcome."""
    return set(await connection.scalars(_claimed_ids, {"command_ids": ids}))


async def save_accepted(connection: AsyncConnection, keys: Iterable[CommandKey]) -> None:
    """Remember that commands were acknowledged before their outcomes were known.

    Their time is the database's: a promise of an edge whose clock is wrong is kept as long.
    """
    # Requests with one key may be late at once; in one order, none waits for another in a ring.
    promises = [key._asdict() for key in sorted(set(keys))]
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    promise = insert(accepted_commands).values(
        principal=sa.bindparam("principal"),
        command_id=sa.bindparam("command_id"),
        accepted_at_ms=clock_ms(),
    )
    await connection.execute(promise.on_conflict_do_nothing(), promises)
