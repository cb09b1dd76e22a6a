"""Loads what is live from the database: at every assignment, and when somebody asks for it."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NoReturn

from domain.ranking import live_window
from storage.engine import Database
from storage.sales import SalesSnapshot, load_sales_snapshot
from streams.stopping import check_stopping
from tables.clock import now_ms
from tables.live import LiveSales
from tables.loading import Assignment, Loading

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5


class MovedError(Exception):
    """Partitions have moved: they are being loaded anew beside this."""


class SalesLoader:
    """Sets what a worker knows of its partitions, while no sale is counted."""

    def __init__(
        self,
        live: LiveSales,
        database: Database,
        present: Callable[[], Assignment],
        leave: Callable[[str], NoReturn],
        *,
        retry_seconds_max: float,
    ) -> None:
        self._live = live
        self._database = database
        self._present = present
        self._leave = leave
        self._retry_seconds_max = retry_seconds_max

    async def load(self) -> None:
        """Load the present assignment, or leave the process. Never raises.

        Faust swallows what a recovery callback raises, and goes on with an unknown table.
        """
        try:
            assignment = self._present()
            self._live.show(await self._prepare(assignment))
            values, generation = self._live.values, assignment.generation
            log.info("ranking loaded: %d values, generation %d", values, generation)
        except MovedError:
            log.info("partitions moved while they were loaded; they are loaded anew")
        except Exception as error:
            check_stopping(error)
            self._leave("the sums of sales could not be loaded")

    async def _prepare(self, assignment: Assignment) -> Loading:
        """Build aside what is to be known; the loop is given back after every few milliseconds."""

        def stay() -> None:
            # Workers that come one after the other would each cost another whole load.
            if self._present() != assignment:
                raise MovedError

        at_ms, hours = now_ms(), self._live.window_hours
        snapshot = await self._load_snapshot(live_window(at_ms, hours).start_ms, stay)
        loading = Loading(snapshot, assignment, at_ms, hours)
        for _ in loading.steps():
            await asyncio.sleep(0)
        stay()
        return loading

    async def _load_snapshot(self, since_ms: int, stay: Callable[[], None]) -> SalesSnapshot:
        deadline = time.monotonic() + self._retry_seconds_max
        while True:
            try:
                return await load_sales_snapshot(self._database, since_ms, between=stay)
            except MovedError:
                raise
            except Exception as error:
                check_stopping(error)
                if time.monotonic() > deadline:
                    raise
                log.warning("the sums of sales wait for the database: %r", error)
                await asyncio.sleep(RETRY_SECONDS)
