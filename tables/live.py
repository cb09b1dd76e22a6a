"""What this worker knows of sales: the Faust table, and an index of it for each partition."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from domain.leaderboard import Leaderboard
from domain.ranking import (
    WINDOW_HOURS,
    LogPoint,
    Sale,
    SourcePartition,
    TopList,
    hour_of,
    hours_in,
    live_window,
)
from storage.sales import SalesSnapshot
from streams.codec import partition_of
from tables.hourly_values import HourlyValues
from tables.loading import Assignment, Loading
from tables.shapes import EMPTY_TALLY, decode_tally, encode_tally, quantity_of


class HourlyTable(Protocol):
    """What is used of the sales table."""

    by_hour: HourlyValues

    def put(self, key: str, hour_ms: int, value: bytes) -> None:
        """Set a value and write it to the changelog."""
        ...


class LiveSales:
    """Counts sales into the table, and keeps each partition's best sellers at hand."""

    def __init__(self, table: HourlyTable, *, hours: int = WINDOW_HOURS, owner: str = "") -> None:
        self._table = table
        self.window_hours = hours
        self._owner = owner
        self._marks: Mapping[SourcePartition, LogPoint] = {}
        self._boards: dict[int, Leaderboard] = {}
        self._changed: set[int] = set()
        self._records: list[list[Sale]] = []
        self.window = live_window(0, hours)
        """The hours that the values and the index are of."""
        self.assignment = Assignment(0, (), 1)
        self.loaded_at_ms = 0
        """When all values were last set from the database; 0 before the first time."""
        self.has_changed = asyncio.Event()

    def load(self, snapshot: SalesSnapshot, assignment: Assignment, now_ms: int) -> None:
        """Load all at once what the worker loads in steps."""
        loading = Loading(snapshot, assignment, now_ms, self.window_hours)
        for _ in loading.steps():
            pass
        self.show(loading)

    def show(self, loaded: Loading) -> None:
        """Replace all that was known by what the database says: it is the truth.

        Sales below the snapshot's marks are in its sums, and are dropped from now on.
        """
        self.assignment = loaded.assignment
        self.loaded_at_ms = loaded.at_ms
        self.window = live_window(loaded.at_ms, self.window_hours)
        self._marks = loaded.marks
        self._boards = loaded.boards
        self._table.by_hour = loaded.values
        self.mark_changed(self._boards)

    def count(self, sale: Sale, partition: int) -> None:
        """Count a sale of an own partition once, in its hour, if the window still holds it.

        Called while the stream's event is the current one: the table puts the change on the
        same partition of its changelog.
        """
        board = self._boards[partition]
        hour_ms = hour_of(sale.sold_at_ms)
        mark = self._marks.get(sale.source)
        if hour_ms < self.window.start_ms or (mark is not None and sale.point < mark):
            return
        key = str(sale.product_id)
        before = decode_tally(self._table.by_hour.at(key, hour_ms) or EMPTY_TALLY)
        after = before.count(sale)
        if after is before:
            return
        self._table.put(key, hour_ms, encode_tally(after))
        board.add(sale.product_id, sale.quantity)
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

    def stored(self) -> Iterator[tuple[int, dict[int, int]]]:
        """Iterate over hours of the window, each with its pieces by product, as of this call."""
        held = [
            (hour, dict(values))
            for hour, values in self._table.by_hour.hours.items()
            if hour >= self.window.start_ms
        ]
        return (
            (hour, {int(key): quantity_of(value) for key, value in values.items()})
            for hour, values in held
        )

    def sums(self) -> dict[int, int]:
        """Return the index: the pieces that each product sold in the window."""
        found: dict[int, int] = {}
        for board in self._boards.values():
            found.update(board.totals)
        return found

    def mark_changed(self, partitions: Iterable[int]) -> None:
        """Let the lists of these partitions be published."""
        self._changed.update(partitions)
        self.has_changed.set()

    def advance(self, now_ms: int) -> None:
        """Let hours leave the window when the clock says so; every list is a new one then."""
        window = live_window(now_ms, self.window_hours)
        if window.start_ms > self.window.start_ms:
            self.window = window
            for values in self._table.by_hour.drop_before(window.start_ms):
                self._take_back(values)
            self.mark_changed(self._boards)

    def _take_back(self, values: Mapping[str, bytes]) -> None:
        for key, value in values.items():
            self._boards[self._partition_of(key)].add(int(key), -quantity_of(value))

    def _partition_of(self, key: str) -> int:
        return partition_of(key.encode(), self.assignment.of_partitions)

    def take_changed(self, now_ms: int) -> list[TopList]:
        """Return the lists of partitions that changed since the last call."""
        self.advance(now_ms)
        changed = [partition for partition in sorted(self._changed) if partition in self._boards]
        self._changed.clear()
        self.has_changed.clear()
        return [self._top_list(partition, now_ms) for partition in changed]

    def _top_list(self, partition: int, now_ms: int) -> TopList:
        return TopList(
            partition=partition,
            generation=self.assignment.generation,
            window=self.window,
            as_of_ms=now_ms,
            entries=self._boards[partition].top(),
            owner=self._owner,
            loaded_at_ms=self.loaded_at_ms,
        )

    def owns(self, product_id: int) -> bool:
        """Tell whether a product lives in a partition of this worker."""
        return self._partition_of(str(product_id)) in self._boards

    def hours(self, product_id: int, now_ms: int) -> dict[int, int]:
        """Return what a product sold in each hour of the window, read from the table."""
        self.advance(now_ms)
        key, by_hour = str(product_id), self._table.by_hour
        found = {
            hour: quantity_of(by_hour.at(key, hour) or EMPTY_TALLY)
            for hour in hours_in(self.window)
        }
        return {hour: quantity for hour, quantity in found.items() if quantity}

    @property
    def products(self) -> int:
        """The number of products of this worker that sold something in the window."""
        return sum(map(len, self._boards.values()))

    @property
    def values(self) -> int:
        """The number of values in the table: one for each product and hour."""
        return len(self._table.by_hour)
