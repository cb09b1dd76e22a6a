"""First outcomes in the order of their rows, for those who follow them as they come."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import Disposition
from storage.schema import command_log
from storage.sets import one_of

ROW_ID_MAX = 2**63 - 1


class FirstOutcome(NamedTuple):
    """The row that holds what became of a command."""

    row_id: int
    principal: str
    command_id: str
    status: int
    body: str


_outcomes = (
    sa.select(
        command_log.c.id,
        command_log.c.principal,
        command_log.c.command_id,
        command_log.c.status,
        command_log.c.body,
    )
    .where(
        command_log.c.id > sa.bindparam("after"),
        command_log.c.id <= sa.bindparam("up_to"),
        command_log.c.disposition.in_(
            [Disposition.APPLIED.value, Disposition.REFUSED.value, Disposition.DEAD.value]
        ),
        one_of(command_log.c.principal, "principals"),
    )
    .order_by(command_log.c.id)
)


async def list_outcomes(
    connection: AsyncConnection, principals: Sequence[str], after: int, up_to: int = ROW_ID_MAX
) -> list[FirstOutcome]:
    """List the outcomes of these principals' commands with row ids in (after, up_to].

    The cost is that of reading all rows in between, whoever's they are.
    """
    named = {"principals": principals, "after": after, "up_to": up_to}
    return [FirstOutcome(*row) for row in await connection.execute(_outcomes, named)]


class Horizon(NamedTuple):
    """How far the log is seen at a moment, and which transactions may still add before that."""

    last_row_id: int
    running_from: int
    """All transactions with a lower number have ended."""
    running_to: int
    """No transaction with this number or a higher one had begun to write."""


async def load_horizon(connection: AsyncConnection) -> Horizon:
    """Load the present horizon.

    Rows are numbered before they are seen, so one may come late below others. Once all who wrote
    at this moment have ended, none can come any more up to its last row. SQLite has one writer
    at a time: there none can come late.
    """
    numbers: list[Any] = [sa.literal(0), sa.literal(0)]
    if connection.dialect.name == "postgresql":
        now = sa.func.pg_current_snapshot()
        ends = (sa.func.pg_snapshot_xmin(now), sa.func.pg_snapshot_xmax(now))
        numbers = [sa.cast(sa.cast(end, sa.Text), sa.BigInteger) for end in ends]
    last = sa.select(sa.func.coalesce(sa.func.max(command_log.c.id), 0)).scalar_subquery()
    return Horizon(*(await connection.execute(sa.select(last, *numbers))).one())
