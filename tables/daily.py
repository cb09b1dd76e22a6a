"""The daily batch: at midnight, or as soon after it as a worker is there, on one worker only."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.daily import due_days, seconds_until_look
from domain.ranking import WINDOW_HOURS, daily_window
from storage.clock import load_clock
from storage.daily_ranking import DailyRun, load_daily_run, load_history, save_daily_run
from storage.engine import Database
from storage.marks import load_marks
from streams.records import Partition
from streams.stopping import check_stopping
from tables.daily_comparison import Compare, compare_run
from tables.lease_holder import LeasedError, LeaseHolder
from tables.settling import OffsetsAt, unapplied
from tables.unbroken import unbroken

log = logging.getLogger(__name__)

# Longer than the slowest step between two renewals, a transaction that sums the window; as long
# may the ranking wait for another worker after its holder was killed.
LEASE_SECONDS = 20.0
# How soon what is due is looked at again while it must wait, and while something does not answer.
RETRY_SECONDS = 2.0
AWAY_SECONDS = 15.0
LOOK_SECONDS = 0.5
# Brokers date payments by clocks of their own, which may be a little behind the database's.
GRACE_MS = 3_000
# How long payments from before midnight are waited for at a time, with the lease in hand.
SETTLE_SECONDS_MAX = 60.0
# A worker that has just started, or takes partitions over, cannot be compared yet.
COMPARE_RETRY_SECONDS_MAX = 60.0

T = TypeVar("T")
Clock = Callable[[], Awaitable[int]]
"""Returns epoch milliseconds."""


class NotYetError(Exception):
    """A day's ranking cannot be made yet, and why."""


@dataclass(frozen=True, slots=True)
class DailyTerms:
    """Whose midnight, over how many hours, and what is asked for what the database cannot say.

    The clock is the database's unless another one is given: workers on machines whose clocks
    differ must agree on what is due.
    """

    zone: ZoneInfo
    offsets_at: OffsetsAt
    compare: Compare
    hours: int = WINDOW_HOURS
    clock: Clock | None = None
    lease_seconds: float = LEASE_SECONDS
    settle_seconds_max: float = SETTLE_SECONDS_MAX
    compare_retry_seconds_max: float = COMPARE_RETRY_SECONDS_MAX


class DailyBatch:
    """Stores the ranking of the hours before each midnight, once for each date."""

    def __init__(self, database: Database, terms: DailyTerms) -> None:
        self._database = database
        self._terms = terms
        self._clock = terms.clock or self._database_clock
        self._holder = LeaseHolder(database, "daily-ranking", terms.lease_seconds)
        self._woken = asyncio.Event()

    async def wake(self) -> None:
        """Look at once what is due: it is midnight."""
        self._woken.set()

    async def run(self) -> None:
        """Look what is due, make it, and look again, until cancelled. Never raises."""
        while True:
            seconds = await self._look_safely()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            self._woken.clear()

    async def _look_safely(self) -> float:
        """Look, and return how long to wait for the next look."""
        try:
            await self.look()
            return seconds_until_look(await self._clock(), self._terms.zone)
        except LeasedError as reason:
            log.debug("the daily ranking waits: %s", reason)
        except NotYetError as reason:
            log.warning("the daily ranking waits: %s", reason)
        except Exception as error:
            check_stopping(error)
            log.warning("the daily ranking waits: %r", error)
            return AWAY_SECONDS
        return RETRY_SECONDS

    async def look(self) -> None:
        """Make every ranking that is due, oldest first.

        Raises NotYetError or LeasedError where one must wait.
        """
        made: list[DailyRun] = []
        waits: NotYetError | LeasedError | None = None
        for day in await self._due():
            try:
                run = await self._made(day)
            except (NotYetError, LeasedError) as error:
                waits = error
                break
            made += [run] if run else []
        # All are stored before the first is compared, which may take a while.
        for run in made:
            await self._compare(run)
        if waits is not None:
            raise waits

    async def make(self, day: date, *, again: bool = False) -> DailyRun | None:
        """Make a day's ranking and compare it; None where it is stored, and not made again.

        Raises LeasedError while another worker is at it, and NotYetError while that midnight has
        not come, or payments from before it are not applied.
        """
        run = await self._made(day, again=again)
        return await self._compare(run) if run else None

    async def _made(self, day: date, *, again: bool = False) -> DailyRun | None:
        """Make a day's ranking while nobody else makes one; None where it is stored."""
        async with self._holder.held():
            held = await self._read(lambda each: load_daily_run(each, day))
            if held and not again:
                return None
            return await self._make(day, again=again)

    async def _compare(self, run: DailyRun) -> DailyRun:
        now_ms = await self._clock()
        return await compare_run(
            self._database,
            run,
            self._terms.compare,
            now_ms,
            retry_seconds_max=self._terms.compare_retry_seconds_max,
        )

    async def _due(self) -> list[date]:
        history = await self._read(load_history)
        now_ms = await self._clock()
        return due_days(history.days, history.first_sale_ms, now_ms, self._terms.zone)

    async def _make(self, day: date, *, again: bool) -> DailyRun:
        started = time.monotonic()
        window = daily_window(day, self._terms.zone, self._terms.hours)
        await self._settle(window.end_ms)
        run = DailyRun(day, window, await self._clock())
        save = save_daily_run(self._database, run, self._holder.lease, again=again)
        stored = await unbroken(save)
        log.info(
            "daily ranking of %s stored, %d hours up to %s, in %.1f s: %s",
            day,
            self._terms.hours,
            datetime.fromtimestamp(window.end_ms / 1000, self._terms.zone).isoformat(" "),
            time.monotonic() - started,
            _places_shown(stored),
        )
        return stored

    async def _settle(self, midnight_ms: int) -> None:
        """Wait until the payments that the log holds from before midnight are applied.

        An incomplete ranking would stay for ever, so one that cannot be whole is not stored:
        it is late, and due for as long as nobody applies commands.
        """
        if await self._clock() < midnight_ms:
            message = "that midnight has not come yet"
            raise NotYetError(message)
        deadline = time.monotonic() + self._terms.settle_seconds_max
        await self._wait_while(lambda: self._is_early(midnight_ms), deadline)
        needed = await self._terms.offsets_at(midnight_ms)
        await self._wait_while(lambda: self._unapplied(needed), deadline)

    async def _is_early(self, midnight_ms: int) -> str:
        is_early = await self._clock() < midnight_ms + GRACE_MS
        return "payments may still be dated before midnight" if is_early else ""

    async def _wait_while(self, reason: Callable[[], Awaitable[str]], deadline: float) -> None:
        while why := await reason():
            if time.monotonic() > deadline:
                raise NotYetError(why)
            await asyncio.sleep(LOOK_SECONDS)
            await self._holder.keep()

    async def _unapplied(self, needed: Mapping[Partition, int]) -> str:
        return unapplied(await self._read(load_marks), needed)

    async def _database_clock(self) -> int:
        return await self._read(load_clock)

    async def _read(self, load: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def read() -> T:
            async with self._database.connect() as connection:
                return await load(connection)

        return await unbroken(read())


def _places_shown(run: DailyRun) -> str:
    shown = ", ".join(f"{each.product_id}: {each.quantity}" for each in run.places)
    return shown or "nothing was sold"
