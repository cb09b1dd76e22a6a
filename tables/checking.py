"""Compares this worker's live table with SQL, at the same marks: every product and hour."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from domain.comparison import SHOWN_MAX, Comparison, Difference, differing, overlap
from domain.ranking import LogPoint, Sale, SourcePartition, Window, hour_of
from storage.engine import Database
from storage.sales import HourSums, load_sales_snapshot
from tables.clock import now_ms
from tables.live import LiveSales

# Sales that are committed but not yet consumed make the table look short: it is looked at again
# until it is right, or until no such sale has come for so long.
SETTLE_SECONDS = 15.0
# A worker far behind its log catches up for longer than anybody waits for an answer.
SETTLE_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.2
TRIES_MAX = 3

Pieces = Mapping[int, int]
"""Quantities by product."""


class UnsettledError(Exception):
    """The table was loaded anew under each try, so there is nothing to say of it."""


async def compare(live: LiveSales, database: Database, window: Window | None) -> Comparison:
    """Compare the hours that a window and the live one have in common; all of these without one.

    Raises UnsettledError where partitions move, or the table is loaded anew, again and again.
    """
    for _ in range(TRIES_MAX):
        # What was counted before the recording began was committed before the snapshot, and so
        # is below its marks; what is counted later is recorded.
        with live.recording() as record:
            live.advance(now_ms())
            basis = _basis_of(live)
            snapshot = await load_sales_snapshot(database, basis.window.start_ms)
            sums = await _own_sums(snapshot.sums, live)
            counted = _Counted(snapshot.marks, record)
            check = _Check(live, basis, sums, counted)
            common = overlap(window or basis.window, basis.window)
            if (found := await check.settled(common)) is not None:
                return found
    message = f"the table was loaded anew during each of {TRIES_MAX} checks"
    raise UnsettledError(message)


class Checks:
    """Checks of one worker: one at a time, for all who ask for the same window meanwhile."""

    def __init__(self, live: LiveSales, database: Database) -> None:
        self._live = live
        self._database = database
        self._turn = asyncio.Lock()
        self._running: dict[Window | None, asyncio.Task[Comparison]] = {}

    async def compare(self, window: Window | None) -> Comparison:
        """Compare, or wait for the running comparison of this window; raises what it raises."""
        task = self._running.get(window)
        if task is None:
            task = asyncio.create_task(self._in_turn(window))
            self._running[window] = task
            task.add_done_callback(lambda _: self._running.pop(window))
        # Who asked first may go away; the others still wait.
        return await asyncio.shield(task)

    async def _in_turn(self, window: Window | None) -> Comparison:
        async with self._turn:
            return await compare(self._live, self._database, window)


class _Basis(NamedTuple):
    """What must stay for two looks to be at the same table, and at the same hours."""

    generation: int
    loaded_at_ms: int
    window: Window


def _basis_of(live: LiveSales) -> _Basis:
    return _Basis(live.assignment.generation, live.loaded_at_ms, live.window)


class _Sums:
    """Pieces by hour and product, and by product in all."""

    def __init__(self) -> None:
        self.hours: dict[int, dict[int, int]] = defaultdict(dict)
        self.totals = Counter[int]()

    def add(self, hour_ms: int, pieces: Pieces) -> None:
        hour, totals = self.hours[hour_ms], self.totals
        for product_id, quantity in pieces.items():
            hour[product_id] = hour.get(product_id, 0) + quantity
            totals[product_id] += quantity


async def _own_sums(sums: HourSums, live: LiveSales) -> _Sums:
    found = _Sums()
    # A product has up to a sum an hour, and finding its partition costs more than adding one.
    owns = cache(live.owns)
    for hour_ms, pieces in sums.by_hour():
        found.add(hour_ms, {each: pieces[each] for each in pieces if owns(each)})
        await asyncio.sleep(0)
    return found


class _Counted(NamedTuple):
    """The sales that were counted since before a snapshot, and how far the snapshot goes."""

    marks: Mapping[SourcePartition, LogPoint]
    record: Sequence[Sale]

    def known(self) -> int:
        """Return how many of them the snapshot knows: they were on their way when it was made."""
        return sum(map(self._is_known, self.record))

    def beyond(self) -> _Sums:
        """Sum those that the snapshot cannot know."""
        sums = _Sums()
        for sale in self.record:
            if not self._is_known(sale):
                sums.add(hour_of(sale.sold_at_ms), {sale.product_id: sale.quantity})
        return sums

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

    async def settled(self, window: Window) -> Comparison | None:
        """Return what differs in the end; None where it is another table by then."""
        began = quiet_since = time.monotonic()
        known = 0
        while (found := await self._look(window)) is not None and found.differences:
            now = time.monotonic()
            known_before, known = known, self._counted.known()
            if known > known_before:
                quiet_since = now
            if now > min(quiet_since + SETTLE_SECONDS, began + SETTLE_SECONDS_MAX):
                break
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def _look(self, window: Window) -> Comparison | None:
        """Compare the table with the snapshot and what was counted beyond it, once."""
        self._live.advance(now_ms())
        if _basis_of(self._live) != self._basis:
            return None
        # All of one moment: nothing is waited for before what is compared is at hand.
        stored, index, beyond = self._live.stored(), self._live.sums(), self._counted.beyond()
        partitions = tuple(sorted(self._live.assignment.partitions))
        findings = _Findings()
        for hour_ms, held in self._each_hour(stored, beyond):
            if window.start_ms <= hour_ms < window.end_ms:
                expected = _together(
                    self._sums.hours.get(hour_ms, {}), beyond.hours.get(hour_ms, {})
                )
                findings.add_hour(hour_ms, held, expected)
                await asyncio.sleep(0)
        # The index sums the whole live window: it cannot be told apart by hours.
        if window == self._basis.window:
            findings.add(None, differing(index, _together(self._sums.totals, beyond.totals)))
        return findings.told(self._basis.generation, partitions, window)

    def _each_hour(
        self, stored: Iterable[tuple[int, Pieces]], beyond: _Sums
    ) -> Iterator[tuple[int, Pieces]]:
        """Iterate over what is stored for each hour, also for those of which nothing is."""
        missing = self._sums.hours.keys() | beyond.hours.keys()
        for hour_ms, held in stored:
            missing.discard(hour_ms)
            yield hour_ms, held
        yield from ((hour_ms, {}) for hour_ms in sorted(missing))


class _Findings:
    """How much was compared, how many differences there are, and the first of them."""

    def __init__(self) -> None:
        self._products: set[int] = set()
        self._hours = 0
        self._differences = 0
        self._first: list[Difference] = []

    def add_hour(self, hour_ms: int, held: Pieces, expected: Pieces) -> None:
        compared = held.keys() | expected.keys()
        self._products |= compared
        self._hours += len(compared)
        self.add(hour_ms, differing(held, expected))

    def add(self, hour_ms: int | None, found: list[tuple[int, int, int]]) -> None:
        self._differences += len(found)
        shown = found[: SHOWN_MAX - len(self._first)]
        self._first += [Difference(each, hour_ms, held, sql) for each, held, sql in shown]

    def told(self, generation: int, partitions: tuple[int, ...], window: Window) -> Comparison:
        return Comparison(
            generation=generation,
            partitions=partitions,
            window=window,
            products=len(self._products),
            hours=self._hours,
            differences=self._differences,
            first=tuple(self._first),
        )


def _together(pieces: Pieces, more: Pieces) -> Pieces:
    if not more:
        return pieces
    return {each: pieces.get(each, 0) + more.get(each, 0) for each in pieces.keys() | more.keys()}
