"""Prunes the command log: what may go, and a worker that lets it go, a slice at a time.

A row goes when all of this holds: it is older than the idempotency window by the broker's time;
all of it is published, and the group has acknowledged its record; and a newer row of its partition
stays, for the log is known by the last record applied (`streams.log_identity`). Rows of an earlier
log epoch nobody publishes any more: they go by age alone.

Nobody holds a lease. Each worker prunes the partitions that it has, and a row lock of their own
serves those who meet at one: a stale owner, a second worker, `fairline log prune`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import load_clock
from storage.engine import Database
from storage.marks import Mark, load_marks
from storage.retention import (
    Aged,
    LogPartition,
    Pruned,
    count_accepted,
    find_newest,
    list_log_partitions,
    load_oldest,
    load_pruned,
    lock_pruned,
    prune_accepted,
    prune_rows,
)
from streams.metrics import PRUNED
from streams.records import Partition
from streams.stopping import check_stopping

log = logging.getLogger(__name__)

# Some ten milliseconds of work: what waits meanwhile, SQLite's other writers for one, hardly does.
SLICE_ROWS = 1_000
# A look costs some dozen short queries; more often nothing would be gained, and much more seldom
# the rows would go in long runs.
PRUNE_SECONDS = 600.0
_FIRST_LOOK_SECONDS = 30.0
# After a slice it rests so many times as long as that took: at most a fifth of one connection is
# spent, however much has gathered while nobody pruned and however slow the database is.
_REST_FACTOR = 4
_REST_SECONDS_MIN = 0.02

Committed = Callable[[], Awaitable[Mapping[Partition, int]]]
"""Asks how far the workers' group has acknowledged each partition."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What nothing passes that is pruned: the time, the log epoch, and what is finished."""

    before_ms: int
    epoch: int
    finished: Mapping[Partition, int]
    """The offset of each partition below which all is published and acknowledged."""

    def end_of(self, place: LogPartition, newest: int) -> int:
        """Return the first offset of a partition that has to stay, whatever its age."""
        if place.epoch < self.epoch:
            return newest + 1
        return min(newest, self.finished.get((place.topic, place.partition), 0))


def age_limit(clocks: Collection[int], window_ms: int) -> int:
    """Return the time before which a row is past the idempotency window.

    `clocks` are the database's and the broker's: the earlier one counts, so that no clock that
    runs ahead makes anything old.
    """
    return min(clocks) - window_ms


def those_past(rows: Sequence[Aged], before_ms: int) -> list[Aged]:
    """Return the rows at the head of a partition that are past the window, up to the first not."""
    for number, row in enumerate(rows):
        if row.accepted_at_ms >= before_ms:
            return list(rows[:number])
    return list(rows)


def finished_of(
    committed: Mapping[Partition, int], marks: Mapping[Partition, Mark]
) -> dict[Partition, int]:
    """Return the offset of each partition below which all is published and acknowledged.

    Neither says it alone. What was applied in a hole, or after a backup was restored, the group
    has passed before it is published; and what is published, but not acknowledged, comes again.
    """
    return {
        key: min(offset, marks[key].published_offset)
        for key, offset in committed.items()
        if key in marks
    }


class Pruner:
    """Finds what may go, and prunes it in short transactions of its own."""

    def __init__(self, database: Database, committed: Committed, window_ms: int) -> None:
        self._database = database
        self._committed = committed
        self._window_ms = window_ms

    async def run(
        self, assigned: Callable[[], Collection[Partition]], look_seconds: float = PRUNE_SECONDS
    ) -> None:
        """Prune the partitions that this worker has, again and again, until cancelled."""
        await asyncio.sleep(min(look_seconds, _FIRST_LOOK_SECONDS))
        while True:
            try:
                await self._look(assigned)
            except Exception as error:
                check_stopping(error)
                # Nothing is lost by it; the next look finds the same rows.
                log.warning("the command log was not pruned: %r", error)
            await asyncio.sleep(look_seconds)

    async def _look(self, assigned: Callable[[], Collection[Partition]]) -> None:
        if not assigned():
            return
        bounds = await self.find_bounds()
        pruned = 0
        for place in await self.list_partitions():
            # Rows of another log epoch or of a topic of before belong to nobody.
            is_anothers = place.epoch >= bounds.epoch and place[1:] not in assigned()
            if not is_anothers:
                async for rows in self.prune(place, bounds):
                    pruned += rows
        async for promises in self.prune_promises(bounds):
            pruned += promises
        if pruned:
            log.info("pruned %d rows that were older than %d ms", pruned, bounds.before_ms)

    async def find_bounds(self) -> Bounds:
        """Ask the clocks, the marks and the group what may go."""
        # Asked before the rows are looked at: the group's offsets only grow.
        committed = await self._committed()
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
            clock_ms = await load_clock(connection)
        newest_ms = max((mark.last_timestamp_ms for mark in marks.values()), default=0)
        epoch = max((mark.epoch for mark in marks.values()), default=0)
        before_ms = age_limit([clock_ms, newest_ms], self._window_ms)
        return Bounds(before_ms, epoch, finished_of(committed, marks))

    async def list_partitions(self) -> list[LogPartition]:
        """List every partition of the command log that has rows."""
        async with self._database.connect() as connection:
            return await list_log_partitions(connection)

    async def prune(self, place: LogPartition, bounds: Bounds) -> AsyncIterator[int]:
        """Prune a partition; yield how many rows went with each slice, and rest in between."""
        async for rows in _paced(lambda: self._prune_slice(place, bounds), "command_log"):
            yield rows

    async def prune_promises(self, bounds: Bounds) -> AsyncIterator[int]:
        """Prune what was promised an outcome (202) longer ago than the window, in slices."""
        async for rows in _paced(lambda: self._prune_accepted(bounds), "accepted_commands"):
            yield rows

    async def count(self, place: LogPartition, bounds: Bounds) -> int:
        """Count the rows of a partition that would go."""
        async with self._database.connect() as connection:
            known = (await load_pruned(connection)).get(place) or Pruned(*place)
            first, total = known.first_kept_offset, 0
            while rows := await _find_slice(connection, place, bounds, first):
                first, total = rows[-1].offset + 1, total + len(rows)
        return total

    async def count_promises(self, bounds: Bounds) -> int:
        """Count the promises that would go."""
        async with self._database.connect() as connection:
            return await count_accepted(connection, bounds.before_ms)

    async def _prune_slice(self, place: LogPartition, bounds: Bounds) -> int:
        async with self._database.begin() as connection:
            known = await lock_pruned(connection, place)
            rows = await _find_slice(connection, place, bounds, known.first_kept_offset)
            if rows:
                await prune_rows(connection, known, rows)
        return len(rows)

    async def _prune_accepted(self, bounds: Bounds) -> int:
        async with self._database.begin() as connection:
            return await prune_accepted(connection, bounds.before_ms, SLICE_ROWS)


async def _find_slice(
    connection: AsyncConnection, place: LogPartition, bounds: Bounds, first: int
) -> list[Aged]:
    newest = await find_newest(connection, place)
    if newest is None:
        return []
    span = (first, bounds.end_of(place, newest))
    return those_past(await load_oldest(connection, place, span, SLICE_ROWS), bounds.before_ms)


async def _paced(prune: Callable[[], Awaitable[int]], table: str) -> AsyncIterator[int]:
    while True:
        begun = time.monotonic()
        rows = await prune()
        if rows:
            PRUNED.labels(table).inc(rows)
            yield rows
        if rows < SLICE_ROWS:
            return
        await asyncio.sleep(max(_REST_SECONDS_MIN, (time.monotonic() - begun) * _REST_FACTOR))
