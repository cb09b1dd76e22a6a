"""What a ranking worker knows of its own health: whom it needs, and whether it stands still."""

import asyncio
from collections.abc import Callable

from storage.clock import load_clock
from storage.engine import Database
from streams.faust_watch import FaustWatch, LookLimits
from streams.liveness import Liveness
from streams.log_reader import LogReader
from streams.service_watch import WORKER_ANSWER_SECONDS_MAX, Watch
from streams.topics import Topic


class _Clock:
    """A question to the database that costs it nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self) -> None:
        async with self._database.connect() as connection:
            await load_clock(connection)

    async def stop(self) -> None:
        """The database is not ours to close."""


class _Ends:
    """A question to the leaders of the partitions."""

    def __init__(self, log_reader: LogReader, topic: Topic) -> None:
        self._log_reader = log_reader
        self._partitions = [(topic.name, number) for number in range(topic.partitions)]

    async def ask(self) -> None:
        await self._log_reader.bounds(self._partitions)

    async def stop(self) -> None:
        """Who made the reader stops it."""


class RankingHealth:
    """Asks database and broker, and looks at the Faust app, while it runs."""

    def __init__(self, database: Database, kafka_url: str, topic: Topic) -> None:
        self.liveness = Liveness()
        self._log_reader = LogReader(kafka_url)
        ends = _Ends(self._log_reader, topic)
        self._database = Watch("database", _Clock(database), seconds_max=WORKER_ANSWER_SECONDS_MAX)
        self._broker = Watch("broker", ends, seconds_max=WORKER_ANSWER_SECONDS_MAX)

    async def start(self) -> None:
        """Connect to the broker."""
        await self._log_reader.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._log_reader.stop()

    def services(self) -> dict[str, bool]:
        """Return whether each service answers, by name."""
        return {"database": self._database.is_ready, "broker": self._broker.is_ready}

    async def run(
        self, watch: FaustWatch, is_loading: Callable[[], bool], limits: LookLimits
    ) -> None:
        """Ask and look until cancelled. A load takes its time, and the agent waits for it."""

        async def keep_looking() -> None:
            while True:
                may_move = all(self.services().values()) and not is_loading()
                watch.look({}, may_move=may_move)
                await asyncio.sleep(limits.look_seconds)

        await asyncio.gather(self._database.run(), self._broker.run(), keep_looking())
