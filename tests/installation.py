"""One installation for tests: its own topics, group and database, and workers to run on them."""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.addresses import answers_ok
from app.node import faust_settings
from app.services.child import Child, Launch
from app.services.ports import free_port
from app.settings import Settings
from app.topics import topics_in
from storage.engine import Database, create_database
from storage.migrate import upgrade_async
from storage.schema import metadata
from streams.admin import committed_offsets, ensure_topics
from streams.faust_watch import LookLimits
from streams.topics import Topics
from streams.worker import CommandLimits, CommandWorker
from tests.client import Listener, Producer, eventually, listening, producing

ROOT = Path(__file__).parents[1]
PARTITIONS = 4


@dataclass(frozen=True)
class Installation:
    """What the processes of one installation share."""

    settings: Settings
    topics: Topics

    def with_settings(self, **changes: Any) -> "Installation":
        """The same installation with some settings changed."""
        settings = self.settings.model_copy(update=changes)
        return Installation(settings, topics_in(settings))

    async def query(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Ask the database, as an operator would."""
        connection = await asyncpg.connect(self.settings.database_url)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()

    async def state(self, *without: str) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, by table."""
        names = [table.name for table in metadata.sorted_tables if table.name not in without]
        return {
            name: sorted(await self.query(f"SELECT * FROM {name}"), key=repr) for name in names
        }

    @asynccontextmanager
    async def backup(self) -> AsyncIterator["Installation"]:
        """The same installation on a copy of its database, made while nobody is connected."""
        own = urlsplit(self.settings.database_url)
        copy = own._replace(path=f"{own.path}_copy")
        await self._administer(f"CREATE DATABASE {copy.path[1:]} TEMPLATE {own.path[1:]}")
        try:
            yield self.with_settings(database_url=copy.geturl())
        finally:
            await self._administer(f"DROP DATABASE {copy.path[1:]} WITH (FORCE)")

    async def restore(self, backup: "Installation") -> None:
        """Put a backup in the place of the database, while nobody is connected."""
        own, copy = (
            urlsplit(i.settings.database_url).path.removeprefix("/") for i in (self, backup)
        )
        await self._administer(f"DROP DATABASE {own} WITH (FORCE)")
        await self._administer(f"CREATE DATABASE {own} TEMPLATE {copy}")

    async def _administer(self, statement: str) -> None:
        own = urlsplit(self.settings.database_url)
        admin = await asyncpg.connect(own._replace(path="/postgres").geturl())
        try:
            await admin.execute(statement)
        finally:
            await admin.close()

    async def committed(self) -> dict[tuple[str, int], int]:
        """Ask how far the workers' group has acknowledged."""
        group = faust_settings(self.settings, "commands", 0).group
        return await committed_offsets(self.settings.kafka_url, group)

    async def move_group(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Let the workers' group begin elsewhere next time; while none of them runs."""
        moved = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
        async with self._group() as consumer:
            consumer.assign(list(moved))
            await consumer.commit(moved)

    def _group(self) -> Any:
        group = faust_settings(self.settings, "commands", 0).group
        url = self.settings.kafka_url
        return AIOKafkaConsumer(bootstrap_servers=url, group_id=group, enable_auto_commit=False)

    @property
    def command_partitions(self) -> list[tuple[str, int]]:
        """Every partition that command workers read."""
        return [(t.name, n) for t in self.topics.commands for n in range(t.partitions)]

    async def ensure_topics(self) -> None:
        """Make the topics that are missing."""
        await ensure_topics(self.settings.kafka_url, self.topics.all)

    @asynccontextmanager
    async def worker(
        self, looks: LookLimits | None = None, **limits: Any
    ) -> AsyncIterator[CommandWorker]:
        """A command worker in this process; it takes commands when the block begins."""
        database = create_database(self.settings.sqlalchemy_url)
        worker = self._make_worker(database, looks, **limits)
        try:
            await worker.start()
            await eventually(lambda: worker.health.is_ready, "a ready worker")
            yield worker
        finally:
            await worker.stop()
            await database.dispose()

    def _make_worker(
        self, database: Database, looks: LookLimits | None, **more: Any
    ) -> CommandWorker:
        settings = self.settings
        limits = CommandLimits(
            balance_max=settings.balance_max,
            order_expiry_ms=settings.order_expiry_seconds * 1000,
            batch_max=settings.batch_max,
            retry_seconds_max=settings.retry_seconds_max,
            **more,
        )
        faust = faust_settings(settings, "commands", free_port())
        return CommandWorker(faust, database, self.topics, limits, looks=looks)

    @asynccontextmanager
    async def observed(self) -> AsyncIterator[tuple[Producer, Listener]]:
        """A producer of commands, and a listener to what comes of them."""
        async with AsyncExitStack() as stack:
            url = self.settings.kafka_url
            producer = await stack.enter_async_context(producing(url, self.topics))
            listener = await stack.enter_async_context(listening(url, self.topics))
            yield producer, listener

    @asynccontextmanager
    async def process(self, *words: str, port_name: str) -> AsyncIterator["Process"]:
        """A process `fairline WORDS` while the block runs."""
        process = self.start(*words, port_name=port_name)
        try:
            yield process
            process.child.ask()
            await process.left()
        finally:
            process.child.stop(5)

    def start(
        self, *words: str, port_name: str, port: int | None = None, module: str = "app.cli"
    ) -> "Process":
        """Start a process `fairline WORDS`, with ports and a data folder of its own."""
        names = ("http_port", "worker_port", "ranking_port", "gateway_port")
        ports = {name: free_port() for name in names}
        port = ports[port_name] = port or ports[port_name]
        folder = self.settings.data_dir / f"process-{port}"
        folder.mkdir(parents=True, exist_ok=True)
        given = self.settings.model_copy(update={**ports, "data_dir": folder})
        command = (sys.executable, "-m", module, *words)
        log = folder / "log"
        return Process(Child(Launch(command, log=log, environment=environment(given))), port, log)


@dataclass(frozen=True)
class Process:
    """A process of ours, and what it says."""

    child: Child
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Wait until it says that it is ready."""

        def look() -> bool:
            code = self.child.exit_code()
            assert code is None, f"left with {code}: {self.log.read_text()[-2000:]}"
            return answers_ok(f"{self.url}/readyz")

        await eventually(look, f"a ready process ({self.log})")

    async def left(self) -> int:
        """Wait until it has left, and return its exit code."""

        def look() -> tuple[int] | None:
            code = self.child.exit_code()
            return None if code is None else (code,)

        return (await eventually(look, "the end of the process"))[0]


def environment(settings: Settings) -> dict[str, str]:
    """Make the environment of a process with these settings."""
    known = {f"FAIRLINE_{name.upper()}": str(v) for name, v in settings if v != ""}
    return {**os.environ, **known, "PYTHONPATH": str(ROOT)}


async def install(kafka_url: str, database_url: str, folder: Path, **changes: Any) -> Installation:
    """Make topics of their own name and the tables."""
    settings = Settings(
        kafka_url=kafka_url,
        database_url=database_url,
        topic_prefix=f"t{secrets.token_hex(4)}-",
        data_dir=folder,
        session_timeout_seconds=6,
        **{"partitions": PARTITIONS, **changes},
    )
    installation = Installation(settings, topics_in(settings))
    await upgrade_async(settings.sqlalchemy_url)
    await installation.ensure_topics()
    return installation
