"""Asks database and broker, again and again: whether they answer, and what waits in the log."""

import asyncio
from collections.abc import Iterable

from storage.engine import Database
from storage.marks import load_marks
from streams.faust_watch import Span
from streams.health import WorkerHealth
from streams.log_reader import LogReader
from streams.records import Partition
from streams.service_watch import WORKER_ANSWER_SECONDS_MAX, Watch
from streams.topics import Topic

ASK_SECONDS = 1.0


class _Marks:
    """How far everything is applied."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.marks: dict[Partition, int] = {}

    async def ask(self) -> None:
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
        self.marks = {key: mark.next_offset for key, mark in marks.items()}

    async def stop(self) -> None:
        """The database is not ours to close."""


class _Ends:
    """How far everything is written. All partitions: the own ones may be none."""

    def __init__(self, log_reader: LogReader, topics: Iterable[Topic]) -> None:
        self._log_reader = log_reader
        self._partitions = [(topic.name, n) for topic in topics for n in range(topic.partitions)]
        self.ends: dict[Partition, int] = {}

    async def ask(self) -> None:
        bounds = await self._log_reader.bounds(self._partitions)
        self.ends = {key: held.stop for key, held in bounds.items()}

    async def stop(self) -> None:
        """The reader is not ours to close."""


class Survey:
    """Keeps the worker's health told of database and broker, and knows what waits."""

    def __init__(
        self,
        database: Database,
        log_reader: LogReader,
        topics: Iterable[Topic],
        health: WorkerHealth,
        *,
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        self._marks = _Marks(database)
        self._ends = _Ends(log_reader, topics)
        self._health = health
        self._ask_seconds = ask_seconds

    async def run(self) -> None:
        """Ask both until cancelled; one that does not answer holds up nobody else."""
        await asyncio.gather(self._ask_database(), self._ask_broker())

    async def _ask_database(self) -> None:
        watch = Watch("database", self._marks, seconds_max=WORKER_ANSWER_SECONDS_MAX)
        while True:
            await watch.ask_once()
            self._health.database_answers = watch.is_ready
            await asyncio.sleep(self._ask_seconds)

    async def _ask_broker(self) -> None:
        watch = Watch("broker", self._ends, seconds_max=WORKER_ANSWER_SECONDS_MAX)
        while True:
            await watch.ask_once()
            self._health.broker_answers = watch.is_ready
            await asyncio.sleep(self._ask_seconds)

    def spans(self, partitions: Iterable[Partition]) -> dict[Partition, Span]:
        """Return what is not applied of these partitions, as far as it is known."""
        marks, ends = self._marks.marks, self._ends.ends
        return {
            key: Span(marks[key], max(marks[key], ends[key]))
            for key in partitions
            if key in marks and key in ends
        }
