"""The line that people stood in for a coupon, as the log has it; read a stretch at a time.

No index leads from a coupon to its records: every issue would pay for it. They all stand in one
partition, and a page costs at most one stretch of it.
"""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import command_ids, command_log, log_epochs

STRETCH = 10_000


class Spot(NamedTuple):
    """A place in the partition of a line."""

    epoch: int
    offset: int


class Line(NamedTuple):
    """Which records belong to a line."""

    topic: str
    partition: int
    coupon_code: str


class LineRow(NamedTuple):
    """One record of a line: what became of it, and when the broker took it."""

    offset: int
    disposition: str
    body: str
    accepted_at_ms: int


class Portion(NamedTuple):
    """Some records of a line, all of one epoch, and where to go on; None at its end."""

    epoch: int
    rows: list[LineRow]
    after: Spot | None


async def find_beginning(connection: AsyncConnection, coupon_id: str) -> Spot:
    """Find where a coupon was defined; before that nobody could stand in its line."""
    claims = sa.select(command_ids.c.epoch, command_ids.c.offset)
    found = (await connection.execute(claims.where(command_ids.c.command_id == coupon_id))).first()
    if found is not None:
        return Spot(*found)
    first = await connection.scalar(sa.select(sa.func.min(log_epochs.c.epoch)))
    return Spot(first or 0, -1)


async def find_newest_epoch(connection: AsyncConnection) -> int:
    """Find the log epoch of now."""
    return await connection.scalar(sa.select(sa.func.max(log_epochs.c.epoch))) or 0


async def list_line(
    connection: AsyncConnection, line: Line, after: Spot, rows_max: int
) -> Portion:
    """List the records of a line after a place, in their order; perhaps none, and where to go on.

    What was pruned is not there any more.
    """
    bounds = await _find_bounds(connection, line, after)
    following = None if bounds.epoch is None else Spot(bounds.epoch, -1)
    if bounds.first is None or bounds.last is None:
        return Portion(after.epoch, [], following)
    end = bounds.first + STRETCH
    query = (
        sa.select(*(command_log.c[name] for name in LineRow._fields))
        .where(
            *_in_partition(line, after.epoch),
            command_log.c.offset >= bounds.first,
            command_log.c.offset < end,
            command_log.c.key == line.coupon_code,
            command_log.c.type == "IssueCoupon",
        )
        .order_by(command_log.c.offset)
        .limit(rows_max + 1)
    )
    rows = [LineRow(*row) for row in await connection.execute(query)]
    if len(rows) > rows_max:
        return Portion(after.epoch, rows[:-1], Spot(after.epoch, rows[-2].offset))
    if bounds.last >= end:
        following = Spot(after.epoch, end - 1)
    return Portion(after.epoch, rows, following)


class _Bounds(NamedTuple):
    """The first and the last offset that is left of an epoch, and the epoch after it."""

    first: int | None
    last: int | None
    epoch: int | None


async def _find_bounds(connection: AsyncConnection, line: Line, after: Spot) -> _Bounds:
    left = (*_in_partition(line, after.epoch), command_log.c.offset > after.offset)
    ends = (sa.func.min(command_log.c.offset), sa.func.max(command_log.c.offset))
    parts: list[sa.ScalarSelect[Any]] = [
        *(sa.select(end).where(*left).scalar_subquery() for end in ends),
        sa.select(sa.func.min(log_epochs.c.epoch))
        .where(log_epochs.c.epoch > after.epoch)
        .scalar_subquery(),
    ]
    return _Bounds(*(await connection.execute(sa.select(*parts))).one())


def _in_partition(line: Line, epoch: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        command_log.c.epoch == epoch,
        command_log.c.topic == line.topic,
        command_log.c.partition == line.partition,
    )
