"""Compares this worker's live table with SQL, at the same marks: every product and hour."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from typing import Generic, NamedTuple, TypeVar

from domain.comparison import (
    SHOWN_MAX,
    Comparison,
    Difference,
    ProductHour,
    differing,
    overlap,
)
from domain.ranking import LogPoint, Sale, SourcePartition, Window, hour_of
from storage.engine import Database
from storage.sales import HourSum, load_sales_snapshot
from tables.clock import now_ms
from tables.live import LiveSales

# Sales that are committed but not yet consumed make the table look short: it is looked at again
# until it is right, or until no such sale has come for so long.
SETTLE_SECONDS = 15.0
# A worker far behind its log catches up for longer than anybody waits for an answer.
SETTLE_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.2
# So many values are compared before the loop is given back: about ten milliseconds.
SLICE = 5_000
TRIES_MAX = 3

T = TypeVar("T")
K = TypeVar("K")


class UnsettledError(Exception):
    """The table was loaded anew under each try, so there is nothing to say of it."""


async def compare(live: LiveSales, database: Database, window: Window) -> Comparison:
    """Compare the hours that a window and the live one have in common.

    Raises UnsettledError where partitions move, or the table is loaded anew, again and again.
    """
    for _ in range(TRIES_MAX):
        # What was counted before the recording began was committed before the snapshot, and so
        # is below its marks; what is counted later is recorded.
        with live.recording() as record:
            live.advance(now_ms())
            basis = _basis_of(live)
            snapshot = await load_sales_snapshot(database, basis.window.start_ms)
            sums = await _own_sums(snapshot.sums, live, overlap(window, basis.window))
            check = _Check(live, basis, sums, _Counted(snapshot.marks, record))
            if (found := await check.settled()) is not None:
                return found
    message = f"the table was loaded anew during each of {TRIES_MAX} checks"
    raise UnsettledError(message)


class Checks:
    """Checks of one worker: one at a time, for all who ask for the same window meanwhile."""

    def __init__(self, live: LiveSales, database: Database) -> None:
        self._live = live
        self._database = database
        self._turn = asyncio.Lock()
        self._running: dict[Window, asyncio.Task[Comparison]] = {}

    async def compare(self, window: Window) -> Comparison:
        """Compare, or wait for the running comparison of this window; raises what it raises."""
        task = self._running.get(window)
        if task is None:
            task = asyncio.create_task(self._in_turn(window))
            self._running[window] = task
            task.add_done_callback(lambda _: self._running.pop(window))
        # Who asked first may go away; the others still wait.
        return await asyncio.shield(task)

    async def _in_turn(self, window: Window) -> Comparison:
        async with self._turn:
            return await compare(self._live, self._database, window)


class _Basis(NamedTuple):
    """What must stay for two looks to be at the same table, and at the same hours."""

    generation: int
    loaded_at_ms: int
    window: Window


def _basis_of(live: LiveSales) -> _Basis:
    return _Basis(live.assignment.generation, live.loaded_at_ms, live.window)


class _Sums(NamedTuple):
    """Pieces by product and hour of the compared window, and by product in the live one."""

    window: Window
    hours: dict[ProductHour, int]
    totals: Counter[int]
    products: set[int]

    def copy(self) -> "_Sums":
        return _Sums(self.window, dict(self.hours), Counter(self.totals), set(self.products))

    def add(self, product_id: int, hour_ms: int, quantity: int) -> None:
        self.totals[product_id] += quantity
        if _holds(self.window, hour_ms):
            key = ProductHour(product_id, hour_ms)
            self.hours[key] = self.hours.get(key, 0) + quantity
            self.products.add(product_id)


async def _own_sums(listed: Iterable[HourSum], live: LiveSales, window: Window) -> _Sums:
    sums = _Sums(window, {}, Counter(), set())
    # A product has up to a sum an hour, and finding its partition costs more than adding one.
    owns = cache(live.owns)
    async for part in _in_slices(listed):
        for each in part:
            if owns(each.product_id):
                sums.add(each.product_id, each.hour_ms, each.quantity)
    return sums


class _Counted(NamedTuple):
    """The sales that were counted since before a snapshot, and how far the snapshot goes."""

    marks: Mapping[SourcePartition, LogPoint]
    record: Sequence[Sale]

    def beyond(self) -> list[Sale]:
        """Return those that the snapshot cannot know."""
        return [sale for sale in self.record if not self._is_known(sale)]

    def _is_known(self, sale: Sale) -> bool:
        mark = self.marks.get(sale.source)
        return mark is not None and sale.point < mark


class _Check:
    """One snapshot of SQL, and looks at the table until it is right or has settled."""

    def __init__(self, live: LiveSales, basis: _Basis, sums: _Sums, counted: _Counted) -> None:
        self._live = live
        self._basis = basis
        self._sums = sums
        self._counted = counted

    async def settled(self) -> Comparison | None:
        """Return what differs in the end; None where it is another table by now."""
        began = quiet_since = time.monotonic()
        known = 0
        while (found := await self._look()) is not None and found.differences:
            now = time.monotonic()
            missing_before, known = known, len(self._counted.record) - len(self._counted.beyond())
            if known > missing_before:
                quiet_since = now
            if now > min(quiet_since + SETTLE_SECONDS, began + SETTLE_SECONDS_MAX):
                break
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def _look(self) -> Comparison | None:
        """Compare once."""
        self._live.advance(now_ms())
        if _basis_of(self._live) != self._basis:
            return None
        # All of one moment: nothing is waited for before what is compared is at hand.
        stored, index, expected = self._live.stored(), self._live.sums(), self._expected()
        products, partitions = len(expected.products), sorted(self._live.assignment.partitions)
        hours = await _differences(_held(stored, expected.window), expected.hours)
        sums = _Found[int]()
        # The index sums the whole live window: it cannot be told apart by hours.
        if expected.window == self._basis.window:
            sums = await _differences(index.items(), expected.totals)
        first = chain(
            (Difference(*key, table, sql) for key, table, sql in hours.first),
            (Difference(product_id, None, held, sql) for product_id, held, sql in sums.first),
        )
        return Comparison(
            generation=self._basis.generation,
            partitions=tuple(partitions),
            window=expected.window,
            products=products,
            hours=hours.compared,
            differences=hours.differences + sums.differences,
            first=tuple(islice(first, SHOWN_MAX)),
        )

    def _expected(self) -> _Sums:
        """Return what the table should hold now: the snapshot, and what came beyond its marks."""
        expected = self._sums.copy()
        for sale in self._counted.beyond():
            expected.add(sale.product_id, hour_of(sale.sold_at_ms), sale.quantity)
        return expected


@dataclass(slots=True)
class _Found(Generic[K]):
    """How many values were compared, how many differ, and the first of them."""

    compared: int = 0
    differences: int = 0
    first: list[tuple[K, int, int]] = field(default_factory=list)

    def add(self, compared: int, found: list[tuple[K, int, int]]) -> None:
        self.compared += compared
        self.differences += len(found)
        self.first = [*self.first, *found[:SHOWN_MAX]][:SHOWN_MAX]


async def _differences(held: Iterable[tuple[K, int]], expected: dict[K, int]) -> _Found[K]:
    """Find what is held otherwise than expected, and what is expected but not held."""
    found = _Found[K]()
    async for part in _in_slices(held):
        found.add(len(part), differing(part, expected))
    async for part in _in_slices(expected.items()):
        found.add(len(part), [(key, 0, quantity) for key, quantity in part if quantity])
    return found


def _held(stored: Iterable[HourSum], window: Window) -> Iterator[tuple[ProductHour, int]]:
    for each in stored:
        if _holds(window, each.hour_ms):
            yield ProductHour(each.product_id, each.hour_ms), each.quantity


def _holds(window: Window, hour_ms: int) -> bool:
    return window.start_ms <= hour_ms < window.end_ms


async def _in_slices(listed: Iterable[T]) -> AsyncIterator[list[T]]:
    """Hand out a part after the other, and let the loop do other work in between."""
    rest = iter(listed)
    while part := list(islice(rest, SLICE)):
        yield part
        await asyncio.sleep(0)
