"""What this worker knows of sales: the Faust table, and an index of it for each partition."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from domain.leaderboard import HourlySales
from domain.ranking import (
    WINDOW_HOURS,
    LogPoint,
    Sale,
    SourcePartition,
    Tally,
    TopEntry,
    TopList,
    Window,
    hour_of,
    hours_in,
    live_window,
    merge_tops,
)
from storage.sales import HourSum, SalesSnapshot
from streams.codec import partition_of
from tables.sales_table import StoredHour
from tables.shapes import decode_tally, encode_tally

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The partitions of `product-sales` that are this worker's, and the group's generation."""

    generation: int
    partitions: Collection[int]
    of_partitions: int


class LiveSales:
    """Counts sales into the table, and keeps each partition's best sellers at hand."""

    def __init__(self, windowed_table: Any, *, hours: int = WINDOW_HOURS, owner: str = "") -> None:
        self._table = windowed_table
        self._hours = hours
        self._owner = owner
        self._loaded_at_ms = 0
        self._marks: Mapping[SourcePartition, LogPoint] = {}
        self._index: dict[int, HourlySales] = {}
        self._changed: set[int] = set()
        self._records: list[list[Sale]] = []
        self._hour_ms = 0
        self.assignment = Assignment(0, (), 1)
        self.has_changed = asyncio.Event()

    def load(self, snapshot: SalesSnapshot, assignment: Assignment, now_ms: int) -> None:
        """Replace all that was known by what the database says: it is the truth.

        Sales below the snapshot's marks are in its sums, and are dropped from now on.
        """
        self.assignment = assignment
        self._marks = snapshot.marks
        self._loaded_at_ms = now_ms
        self._hour_ms = hour_of(now_ms)
        self._index = {
            partition: HourlySales(now_ms, self._hours) for partition in assignment.partitions
        }
        self._table.table.replace(self._own(snapshot.sums))
        self.mark_changed(assignment.partitions)

    def _own(self, sums: Iterable[HourSum]) -> Iterable[StoredHour]:
        for each in sums:
            key = str(each.product_id)
            partition = partition_of(key.encode(), self.assignment.of_partitions)
            if partition in self._index:
                self._index[partition].add(each.product_id, each.hour_ms, each.quantity)
                value = encode_tally(Tally(each.quantity))
                yield StoredHour(key, each.hour_ms, value, partition)

    def count(self, sale: Sale, partition: int) -> None:
        """Count a sale of an own partition once, in its hour, if the window still holds it.

        Called while the stream's event is the current one: the table puts the change on the
        same partition of its changelog.
        """
        index = self._index[partition]
        mark = self._marks.get(sale.source)
        if (mark is not None and sale.point < mark) or not index.holds(sale.sold_at_ms):
            return
        hour = self._table.relative_to(hour_of(sale.sold_at_ms) / 1000)
        key = str(sale.product_id)
        before = decode_tally(hour[key].value())
        after = before.count(sale)
        if after is before:
            return
        hour[key] = encode_tally(after)
        index.add(sale.product_id, sale.sold_at_ms, sale.quantity)
        for record in self._records:
            record.append(sale)
        self.mark_changed([partition])

    @contextmanager
    def recording(self) -> Iterator[list[Sale]]:
        """Give a list that receives every sale that is counted while the block runs."""
        record: list[Sale] = []
        self._records.append(record)
        try:
            yield record
        finally:
            self._records = [each for each in self._records if each is not record]

    def stored(self) -> Iterator[HourSum]:
        """Iterate over the table's values that lie in the window, all as of this call."""
        values = list(self._table.table.data.items())
        start_ms = live_window(self._hour_ms, self._hours).start_ms
        return (
            HourSum(int(key), round(start * 1000), decode_tally(value).quantity)
            for (key, (start, _)), value in values
            if start * 1000 >= start_ms
        )

    def sums(self) -> dict[int, int]:
        """Return the index: the pieces that each product sold in the window."""
        return {
            product_id: total
            for index in self._index.values()
            for product_id, total in index.totals.items()
        }

    def mark_changed(self, partitions: Iterable[int]) -> None:
        """Let the lists of these partitions be published."""
        self._changed.update(partitions)
        self.has_changed.set()

    def advance(self, now_ms: int) -> None:
        """Let hours leave the window when the clock says so; every list is a new one then."""
        if hour_of(now_ms) > self._hour_ms:
            self._hour_ms = hour_of(now_ms)
            for index in self._index.values():
                index.advance(now_ms)
            self.mark_changed(self._index)

    def take_changed(self, now_ms: int) -> list[TopList]:
        """Return the lists of partitions that changed since the last call."""
        self.advance(now_ms)
        changed = [partition for partition in sorted(self._changed) if partition in self._index]
        self._changed.clear()
        self.has_changed.clear()
        return [self._top_list(partition, now_ms) for partition in changed]

    def _top_list(self, partition: int, now_ms: int) -> TopList:
        return TopList(
            partition=partition,
            generation=self.assignment.generation,
            window=live_window(self._hour_ms, self._hours),
            as_of_ms=now_ms,
            entries=self._index[partition].top(),
            owner=self._owner,
            loaded_at_ms=self._loaded_at_ms,
        )

    def top(self, now_ms: int) -> tuple[TopEntry, ...]:
        """Return the best sellers of this worker's own partitions."""
        self.advance(now_ms)
        return merge_tops(self._top_list(partition, now_ms) for partition in self._index)

    def owns(self, product_id: int) -> bool:
        """Tell whether a product lives in a partition of this worker."""
        key = str(product_id).encode()
        return partition_of(key, self.assignment.of_partitions) in self._index

    def hours(self, product_id: int, now_ms: int) -> dict[int, int]:
        """Return what a product sold in each hour of the window, read from the table."""
        tallies = {
            hour: decode_tally(self._table.relative_to(hour / 1000)[str(product_id)].value())
            for hour in hours_in(live_window(now_ms, self._hours))
        }
        return {hour: tally.quantity for hour, tally in tallies.items() if tally.quantity}

    @property
    def window(self) -> Window:
        """The hours that the values and the index are of."""
        return live_window(self._hour_ms, self._hours)

    @property
    def loaded_at_ms(self) -> int:
        """When all values were last set from the database; 0 before the first time."""
        return self._loaded_at_ms

    @property
    def products(self) -> int:
        """The number of products of this worker that sold something in the window."""
        return sum(index.products for index in self._index.values())

    @property
    def values(self) -> int:
        """The number of values in the table: one for each product and hour."""
        return len(self._table.table.data)
