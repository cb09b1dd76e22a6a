"""The daily batch: at midnight, or as soon after it as the worker is there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from zoneinfo import ZoneInfo

from domain.ranking import daily_window, day_of
from storage.daily_ranking import DailyRun, load_daily_run, save_daily_ranking
from storage.engine import Database
from storage.marks import load_marks
from tables.clock import now_ms

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
LOOK_SECONDS = 0.5
# Payments from before midnight may still wait in the log; they are applied within moments.
SETTLE_SECONDS_MAX = 60.0

OffsetsAt = Callable[[int], Awaitable[Mapping[tuple[str, int], int]]]
"""Returns, for each partition of the payments' topic, the first offset from a time on."""


class DailyBatch:
    """Stores the ranking of the three days before each midnight, once for each date."""

    def __init__(self, database: Database, zone: ZoneInfo, offsets_at: OffsetsAt) -> None:
        self._database = database
        self._zone = zone
        self._offsets_at = offsets_at

    async def run_until_done(self) -> None:
        """Run today's batch if it has not run, and try again until it has. Never raises."""
        while True:
            try:
                await self.run(day_of(now_ms(), self._zone))
            except Exception as error:
                log.warning("the daily ranking waits %s s: %r", RETRY_SECONDS, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def run(self, day: date) -> DailyRun:
        """Run a day's batch; where it has run before, its ranking stays as it is."""
        if (held := await self._load(day)) is not None:
            return held
        window = daily_window(day, self._zone)
        await self._settle(window.end_ms)
        places = await save_daily_ranking(self._database, day, window, now_ms())
        if places is None:
            log.info("daily ranking of %s: another worker has stored it", day)
        else:
            listed = ", ".join(f"{each.product_id}: {each.quantity}" for each in places)
            log.info("daily ranking of %s stored: %s", day, listed or "nothing was sold")
        stored = await self._load(day)
        if stored is None:
            message = f"the daily ranking of {day} was taken away"
            raise RuntimeError(message)
        return stored

    async def _load(self, day: date) -> DailyRun | None:
        async with self._database.connect() as connection:
            return await load_daily_run(connection, day)

    async def _settle(self, midnight_ms: int) -> None:
        """Wait until the payments that the log holds from before midnight are applied."""
        needed = await self._offsets_at(midnight_ms)
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
        while waiting := await self._waiting(needed):
            if asyncio.get_running_loop().time() > deadline:
                # A transaction marker at the end of a partition is never passed, for one.
                log.warning("daily ranking: not applied up to midnight: %s", waiting)
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _waiting(self, needed: Mapping[tuple[str, int], int]) -> list[str]:
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
        applied = {place: mark.next_offset for place, mark in marks.items()}
        return [
            f"{topic}[{partition}] {applied.get((topic, partition), 0)} of {offset}"
            for (topic, partition), offset in needed.items()
            if applied.get((topic, partition), 0) < offset
        ]
