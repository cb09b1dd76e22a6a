"""What admins did: a row for each admin command that was decided, and it is never pruned."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import LogRow
from storage.rows import Writes
from storage.schema import admin_actions

_NAMES = (
    *("epoch", "topic", "partition", "offset", "principal", "command_id"),
    *("type", "payload", "status", "acted_at_ms"),
)


@dataclass(frozen=True, slots=True)
class AdminAction:
    """Who did what, when, and what came of it. `payload` is the command's, as JSON."""

    number: int
    principal: str
    command_id: str
    type: str
    payload: str
    status: int
    acted_at_ms: int


_COLUMNS = [
    admin_actions.c[name]
    for name in ("number", "principal", "command_id", "type", "payload", "status", "acted_at_ms")
]


def save_admin_actions(writes: Writes, rows: Iterable[LogRow]) -> None:
    """Note the admin commands among the first rows of their ids, in the same transaction."""
    writes.insert(admin_actions, _NAMES, map(_row, rows))


def _row(row: LogRow) -> tuple[object, ...]:
    return (
        *(row.epoch, row.topic, row.partition, row.offset, row.principal, row.command_id),
        *(row.type, row.payload, row.status, row.accepted_at_ms),
    )


async def list_admin_actions(
    connection: AsyncConnection, limit: int, before: int | None = None
) -> list[AdminAction]:
    """List the newest actions first; with `before` only those with a smaller number."""
    query = sa.select(*_COLUMNS).order_by(admin_actions.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(admin_actions.c.number < before)
    return [AdminAction(*row) for row in await connection.execute(query)]
