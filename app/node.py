"""Puts the parts of one process together, and runs them until a signal says stop."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator

from aiohttp import web

from app.settings import Settings
from storage.engine import Database, create_database
from streams.app import FaustSettings
from streams.topics import Topics, topics_of
from streams.worker import CommandLimits, CommandWorker

log = logging.getLogger("fairline")


def topics_in(settings: Settings) -> Topics:
    """Return the topics of this installation."""
    return topics_of(settings.topic_prefix, settings.partitions, settings.retention_days)


async def run_command_worker(settings: Settings) -> None:
    """Apply commands until SIGTERM or SIGINT. Raises LogRefusedError on another's log."""
    async with _database(settings) as database, _command_worker(settings, database):
        await _until_stopped("command worker", database)


async def run_edge(settings: Settings, *, with_worker: bool = False) -> None:
    """Serve HTTP until SIGTERM or SIGINT; with a command worker in the same process if asked."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(_database(settings))
        worker = None
        if with_worker:
            worker = await stack.enter_async_context(_command_worker(settings, database))
        await stack.enter_async_context(_edge(settings, database, worker))
        await _until_stopped("edge", database)


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = create_database(settings.sqlalchemy_url)
    try:
        yield database
    finally:
        await database.dispose()


@contextlib.asynccontextmanager
async def _command_worker(settings: Settings, database: Database) -> AsyncIterator[CommandWorker]:
    worker = CommandWorker(
        faust_settings(settings, "commands", settings.worker_port),
        database,
        topics_in(settings),
        CommandLimits(
            balance_max=settings.balance_max,
            order_expiry_ms=settings.order_expiry_seconds * 1000,
            batch_max=settings.batch_max,
            retry_seconds_max=settings.retry_seconds_max,
        ),
    )
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()


def faust_settings(settings: Settings, role: str, web_port: int) -> FaustSettings:
    """Make the Faust settings of one role; its consumer group is named for it."""
    return FaustSettings(
        kafka_url=settings.kafka_url,
        group=f"{settings.topic_prefix}fairline-{role}",
        web_host=settings.worker_host,
        web_port=web_port,
        data_dir=settings.data_dir / f"faust-{role}",
        member_name=f"{settings.worker_name}-{role}" if settings.worker_name else None,
        session_timeout_seconds=settings.session_timeout_seconds,
    )


async def _until_stopped(role: str, database: Database) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    log.info("%s ready (database %s)", role, database.name)
    await stopped.wait()
    log.info("%s stopping", role)
