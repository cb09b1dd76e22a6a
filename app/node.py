"""Puts the parts of one process together, and runs them until a signal says stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import web
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from app.addresses import address_of
from app.identity import identifier_of
from app.metrics_port import serving_metrics
from app.open_files import allow_open_files
from app.services.errors import AwayError, StartError, one_line
from app.settings import Settings
from app.stopping import Stop, stopping
from app.topics import topics_in
from app.tracing import tracing_to_collector
from storage.engine import Database, create_database
from streams.app import FaustSettings
from streams.dead_letter_alarm import Thresholds
from streams.leave import leave
from streams.log_identity import LogRefusedError
from streams.loop_watch import LoopWatch
from streams.topics import DAY_MS
from streams.worker import CommandLimits, CommandWorker
from tables.top_lists import TopListReader
from tables.worker import RankingWorker
from web.app import EdgeSettings, create_edge
from web.backlog import Limits
from web.edge import EDGE, Others
from web.protocol import EdgeRunner
from web.quotas import read_quota

log = logging.getLogger("fairline")

# When commands have been answered there are reads, and a statement is given up after 8 s.
REQUEST_SECONDS_MAX = 9.0
# Who comes while so many wait to be let in tries again by TCP's own clock, up to a minute later.
CONNECTIONS_WAITING_MAX = 4096


async def run_command_worker(settings: Settings) -> None:
    """Apply commands until SIGTERM or SIGINT. Raises LogRefusedError on another's log."""
    async with (
        process() as stop,
        _database(settings) as database,
        _following(settings, "worker"),
        running(_command_worker(settings, database), stop),
    ):
        await until_stopped("command worker", f"database {database.name}", stop)


async def run_ranking_worker(settings: Settings) -> None:
    """Keep the live ranking until SIGTERM or SIGINT; leaves the process when it cannot go on."""
    async with (
        process() as stop,
        _database(settings) as database,
        running(_ranking_worker(settings, database), stop),
    ):
        await until_stopped("ranking worker", f"database {database.name}", stop)


async def run_edge(settings: Settings, *, with_worker: bool = False) -> None:
    """Serve HTTP until SIGTERM or SIGINT; with a command worker in the same process if asked."""
    allow_open_files(settings.stream_clients_max + settings.requests_max)
    async with contextlib.AsyncExitStack() as stack:
        stop = await stack.enter_async_context(process())
        await stack.enter_async_context(_following(settings, "edge"))
        database = await stack.enter_async_context(_database(settings))
        others: Others = {}
        if with_worker:
            worker = _command_worker(settings, database)
            others = {"worker": worker.health}
            await stack.enter_async_context(running(worker, stop))
        await stack.enter_async_context(serving_metrics(settings))
        await stack.enter_async_context(_edge(settings, database, others, stop))
        await until_stopped("edge", f"database {database.name}", stop)


@contextlib.asynccontextmanager
async def process() -> AsyncIterator[Stop]:
    """What every process has around its parts: ears for a stop, and a watch over its loop."""
    async with stopping() as stop:
        with LoopWatch(asyncio.get_running_loop()):
            yield stop


@contextlib.asynccontextmanager
async def _following(settings: Settings, process: str) -> AsyncIterator[None]:
    """Follow what this process does, where that is asked for."""
    with contextlib.ExitStack() as stack:
        if settings.tracing:
            database = settings.sqlalchemy_url.partition("+")[0]
            stack.enter_context(tracing_to_collector(process, database))
        yield


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = create_database(settings.sqlalchemy_url)
    try:
        yield database
    finally:
        await database.dispose()


def _command_worker(settings: Settings, database: Database) -> CommandWorker:
    return CommandWorker(
        faust_settings(settings, "commands", settings.worker_port),
        database,
        topics_in(settings),
        CommandLimits(
            balance_max=settings.balance_max,
            order_expiry_ms=settings.order_expiry_seconds * 1000,
            batch_max=settings.batch_max,
            retry_seconds_max=settings.retry_seconds_max,
            retention_ms=settings.retention_days * DAY_MS,
            asks_stamps=settings.auth == "jwt",
            dead_letters=Thresholds(
                settings.dead_letters_in_a_row_max, settings.dead_letters_percent_max
            ),
        ),
    )


def _ranking_worker(settings: Settings, database: Database) -> RankingWorker:
    return RankingWorker(
        faust_settings(settings, "ranking", settings.ranking_port),
        database,
        topics_in(settings),
        settings.zone,
        replication=settings.replication,
        retry_seconds_max=settings.retry_seconds_max,
        hours=settings.ranking_hours,
        owner=settings.ranking_url or address_of(settings, "ranking_port"),
    )


@contextlib.asynccontextmanager
async def _edge(
    settings: Settings, database: Database, others: Others, stop: Stop
) -> AsyncIterator[None]:
    topics = topics_in(settings)
    top_lists = TopListReader(settings.kafka, topics, settings.ranking_hours)
    edge_settings = EdgeSettings(
        topics=topics,
        kafka_url=settings.kafka,
        redis_url=settings.redis_url,
        cache_prefix=f"{settings.topic_prefix}fairline:",
        edge_number=settings.edge_number,
        wait_seconds=settings.wait_seconds,
        stream_clients_max=settings.stream_clients_max,
        requests_max=settings.requests_max,
        quota=read_quota(settings.rate_limit),
        limits=Limits(settings.queue_seconds_max, settings.session_timeout_seconds),
    )
    edge = create_edge(
        edge_settings,
        database,
        top_lists=top_lists,
        others=others,
        identifier=identifier_of(settings),
    )
    runner = EdgeRunner(edge, handle_signals=False, shutdown_timeout=REQUEST_SECONDS_MAX)
    try:
        await stop.unless_asked(top_lists.start())
        await runner.setup()
        where = (settings.http_host, settings.http_port)
        await web.TCPSite(runner, *where, backlog=CONNECTIONS_WAITING_MAX).start()
        yield
    finally:
        with stop.waiting_for("requests under way"):
            edge[EDGE].commands.leave()
            await asyncio.sleep(settings.drain_seconds if stop.is_asked else 0)
            await runner.cleanup()
        with stop.waiting_for("the reader of the top lists"):
            await top_lists.stop()


class _Worker(Protocol):
    async def start(self) -> None: ...
    async def failed(self) -> str: ...
    async def stop(self) -> None: ...


@contextlib.asynccontextmanager
async def running(worker: _Worker, stop: Stop) -> AsyncIterator[None]:
    """Run a worker, and leave the process when it fails: half a worker helps nobody."""
    try:
        await stop.unless_asked(_start(worker))
        watch = asyncio.create_task(_leave_on_failure(worker))
        yield
        watch.cancel()
    finally:
        stop.begin()
        with stop.waiting_for("the worker to finish its batches and to leave its group"):
            await worker.stop()


async def _start(worker: _Worker) -> None:
    """Start a worker. Raises StartError with a line for people where that cannot be."""
    try:
        await worker.start()
    except LogRefusedError as error:
        raise StartError(str(error)) from None
    except (KafkaError, OSError, SQLAlchemyError) as error:
        message = f"what the worker needs does not answer: {one_line(error)}"
        raise AwayError(message) from error


async def _leave_on_failure(worker: _Worker) -> None:
    leave(await worker.failed())


def faust_settings(settings: Settings, role: str, web_port: int) -> FaustSettings:
    """Make the Faust settings of one role; its consumer group is named for it."""
    return FaustSettings(
        kafka_url=settings.kafka,
        group=f"{settings.topic_prefix}fairline-{role}",
        web_host=settings.worker_host,
        web_port=web_port,
        data_dir=settings.data_dir / f"faust-{role}",
        member_name=f"{settings.worker_name}-{role}" if settings.worker_name else None,
        session_timeout_seconds=settings.session_timeout_seconds,
    )


async def until_stopped(role: str, served: str, stop: Stop) -> None:
    """Say that the process is ready, and wait until it is asked to stop."""
    log.info("%s ready (%s)", role, served)
    await stop.wait()
    log.info("%s stopping", role)
