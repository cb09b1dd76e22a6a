"""Looks for new outcomes on behalf of all who follow theirs: one query for all of them.

Every edge sees all outcomes so, whichever edge took the command.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from storage.engine import Database
from storage.results import FirstOutcome, Horizon, list_outcomes, load_horizon
from streams.stopping import check_stopping
from web.problems import STOPPING, UnavailableError

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
# A transaction numbers its rows as the last thing that it does. One that takes longer than this
# is a stranger's, and must not make every look read more and more.
SETTLE_SECONDS_MAX = 30.0
# Who is so far behind reads too slowly; it is cut off, and goes on from where it was.
BEHIND_MAX = 1000
FULL = "This edge has as many clients that follow results as it may have."


class News(NamedTuple):
    """An outcome, and up to where all had been seen before it."""

    outcome: FirstOutcome
    settled: int


class Follower:
    """A client that follows the outcomes of one principal."""

    def __init__(self, principal: str) -> None:
        self.principal = principal
        self.changed = asyncio.Event()
        self.is_behind = False
        self._news: deque[News] = deque()

    def tell(self, news: News) -> None:
        """Keep news for the client."""
        self.is_behind = self.is_behind or len(self._news) >= BEHIND_MAX
        if not self.is_behind:
            self._news.append(news)
        self.changed.set()

    def take(self) -> list[News]:
        """Take the news since the last time."""
        self.changed.clear()
        taken = list(self._news)
        self._news.clear()
        return taken


class ResultWatch:
    """Tells followers of new outcomes, and knows up to where all outcomes were seen."""

    def __init__(self, database: Database, followers_max: int) -> None:
        self._database = database
        self._followers_max = followers_max
        self._followers: set[Follower] = set()
        self._horizons: deque[tuple[Horizon, float]] = deque()
        self._told: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self.settled = 0
        """No outcome comes any more up to this row."""
        self.is_closing = False

    @contextmanager
    def followed_by(self, principal: str) -> Iterator[Follower]:
        """Tell a client of this principal's news; raises UnavailableError for one too many."""
        if self.is_closing:
            raise UnavailableError(STOPPING)
        if len(self._followers) >= self._followers_max:
            raise UnavailableError(FULL)
        follower = Follower(principal)
        self._followers.add(follower)
        if self._task is None:
            self._begun = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._begun))
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._stop()

    async def begun(self) -> None:
        """Wait until `settled` is known; raises what kept it from being found."""
        assert self._begun is not None
        await asyncio.shield(self._begun)

    def close(self) -> None:
        """Let every stream end at once."""
        self.is_closing = True
        for follower in self._followers:
            follower.changed.set()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None
        self._horizons.clear()
        self._told.clear()

    async def _run(self, begun: asyncio.Future[None]) -> None:
        try:
            self.settled = await self._begin()
        except Exception as error:
            check_stopping(error)
            begun.set_exception(error)
            begun.exception()
            # Whoever comes next tries again.
            self._task = None
            return
        begun.set_result(None)
        while True:
            try:
                await self._look()
            except Exception as error:
                check_stopping(error)
                log.warning("results cannot be followed at present: %r", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _begin(self) -> int:
        while True:
            async with self._database.connect() as connection:
                settled = self._settle(await load_horizon(connection), time.monotonic())
            if settled is not None:
                return settled
            await asyncio.sleep(LOOK_SECONDS / 4)

    async def _look(self) -> None:
        principals = list({follower.principal for follower in self._followers})
        async with self._database.connect() as connection:
            horizon = await load_horizon(connection)
            found = await list_outcomes(connection, principals, self.settled)
        for outcome in found:
            if outcome.row_id not in self._told:
                self._tell(News(outcome, self.settled))
        settled = self._settle(horizon, time.monotonic())
        self.settled = self.settled if settled is None else settled
        self._told = {each.row_id for each in found if each.row_id > self.settled}

    def _tell(self, news: News) -> None:
        for follower in self._followers:
            if follower.principal == news.outcome.principal:
                follower.tell(news)

    def _settle(self, horizon: Horizon, now: float) -> int | None:
        """Return the newest row below which nothing can come any more; None for no newer one."""
        settled = None
        self._horizons.append((horizon, now + SETTLE_SECONDS_MAX))
        while self._horizons:
            former, until = self._horizons[0]
            if former.running_to > horizon.running_from and now < until:
                break
            settled = former.last_row_id
            self._horizons.popleft()
        return settled
