"""Sums of what was sold, from the orders themselves."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.ranking import HOUR_MS, LogPoint, SourcePartition
from storage.engine import Database
from storage.marks import load_marks
from storage.schema import order_lines, orders

# So many lines come at once: a few milliseconds of work, however many there are in all.
LINES_AT_ONCE = 2_000


class HourSum(NamedTuple):
    """What one product sold in one UTC hour."""

    product_id: int
    hour_ms: int
    quantity: int


class HourSums:
    """What each product sold in each hour: a million sums in the memory of two numbers each."""

    def __init__(self, sums: Iterable[HourSum] = ()) -> None:
        self._hours: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self.add((each.product_id, each.hour_ms // HOUR_MS, each.quantity) for each in sums)

    def add(self, lines: Iterable[Sequence[int]]) -> None:
        """Add lines of product, number of the hour, and quantity."""
        for product_id, hour, quantity in lines:
            sums = self._hours[hour]
            sums[product_id] = sums.get(product_id, 0) + quantity

    def by_hour(self) -> Iterator[tuple[int, Mapping[int, int]]]:
        """Iterate over hours, each with its sums by product."""
        return ((hour * HOUR_MS, sums) for hour, sums in self._hours.items())

    def __len__(self) -> int:
        """Return the number of sums."""
        return sum(map(len, self._hours.values()))

    def __iter__(self) -> Iterator[HourSum]:
        """Iterate over single sums."""
        for hour_ms, sums in self.by_hour():
            for product_id, quantity in sums.items():
                yield HourSum(product_id, hour_ms, quantity)


@dataclass(frozen=True, slots=True)
class SalesSnapshot:
    """Sums and marks of one moment: a sale is in the sums if and only if it is below its mark."""

    marks: Mapping[SourcePartition, LogPoint]
    sums: HourSums


async def load_sales_snapshot(
    database: Database, since_ms: int, *, between: Callable[[], None] = lambda: None
) -> SalesSnapshot:
    """Load what each product sold in each hour from a time on, and how far the log is applied.

    `between` is called after each portion of lines; what it raises ends the load.
    """
    async with database.snapshot() as connection:
        marks = {
            SourcePartition(*place): LogPoint(mark.epoch, mark.next_offset)
            for place, mark in (await load_marks(connection)).items()
        }
        return SalesSnapshot(marks, await _sum_lines(connection, since_ms, between))


async def _sum_lines(
    connection: AsyncConnection, since_ms: int, between: Callable[[], None]
) -> HourSums:
    """Sum the lines of paid orders as they come in.

    The database would take seconds over a sum of a million lines before the first row came, more
    than it grants a statement; and their arrival all at once would hold the event loop up. Asked
    for hour by hour, PostgreSQL reads all lines again for each hour.
    """
    query = (
        sa.select(
            order_lines.c.product_id,
            sa.cast(orders.c.paid_at_ms // HOUR_MS, sa.BigInteger),
            order_lines.c.quantity,
        )
        .join_from(orders, order_lines)
        .where(orders.c.status == "PAID", orders.c.paid_at_ms >= since_ms)
        .execution_options(yield_per=LINES_AT_ONCE)
    )
    sums = HourSums()
    async with connection.stream(query) as lines:
        async for portion in lines.partitions():
            sums.add(portion)
            between()
    return sums


def pieces() -> sa.ColumnElement[int]:
    """Return the sum of pieces over the order lines of a group."""
    # PostgreSQL sums bigint as numeric, which the driver reads as Decimal.
    return sa.cast(sa.func.sum(order_lines.c.quantity), sa.BigInteger)
