"""A process that is asked to stop ends within 20 s by its own doing, whatever it waits for."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.services.child import Child
from storage.engine import create_database
from storage.marks import lock_marks
from streams import wire
from tests.client import Producer, eventually
from tests.installation import Installation, Process
from tests.integration.test_worker_faults import database_behind_proxy

PROMISED_SECONDS = 20


async def ended_in_time(process: Process) -> int:
    """Wait until it has left, see that this was within the promise, and return its exit code."""
    began = time.monotonic()
    code = await process.left()
    assert time.monotonic() - began < PROMISED_SECONDS, process.log.read_text()[-2000:]
    return code


@asynccontextmanager
async def worker_without_database(
    installation: Installation, producer: Producer
) -> AsyncIterator[Process]:
    """A worker with commands in hand, and a database that went away for longer than we look."""
    async with database_behind_proxy(installation, retry_seconds_max=200) as (proxy, apart):
        process = apart.start("worker", port_name="worker_port")
        try:
            await process.ready()
            await proxy.shut()
            await producer.send_all([wire.ChargeBalance(n, 10) for n in range(1, 9)])
            await eventually(lambda: "database away" in process.log.read_text(), "its complaint")
            yield process
        finally:
            process.child.stop(0)


async def test_a_stop_without_the_database_ends_in_time_and_acknowledges_nothing(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, _listener):
        async with worker_without_database(installation, producer) as process:
            process.child.ask()
            assert await ended_in_time(process) == 70
            said = process.log.read_text()
        assert "the stop took more than 15 s; waited for" in said
        assert "the worker to finish its batches" in said
        assert not any((await installation.committed()).values())
        async with installation.process("worker", port_name="worker_port"):
            rows = "SELECT sum(balance) FROM wallets"
            await eventually(lambda: is_told(installation, rows, 80), "all that was in hand")


async def is_told(installation: Installation, rows: str, wanted: int) -> bool:
    return await installation.query(rows) == [(wanted,)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_does_not_wait(
    installation: Installation, number: signal.Signals
) -> None:
    async with (
        installation.observed() as (producer, _listener),
        worker_without_database(installation, producer) as process,
    ):
        process.child.ask()
        await eventually(lambda: "stopping" in process.log.read_text(), "a stop")
        process.child.process.send_signal(number)
        assert await process.left() == 70
        assert "asked to stop a second time" in process.log.read_text()


@asynccontextmanager
async def deaf_server() -> AsyncIterator[int]:
    """The port of a server that takes connections, and never says a word."""
    open_ones: list[asyncio.StreamWriter] = []

    async def keep(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("words", "port_name"),
    [
        (("worker",), "worker_port"),
        (("worker", "--kind", "ranking"), "ranking_port"),
        (("edge", "--with-worker"), "http_port"),
    ],
)
async def test_a_stop_in_the_middle_of_the_start_ends_it(
    installation: Installation, words: tuple[str, ...], port_name: str
) -> None:
    async with deaf_server() as port:
        waiting = installation.with_settings(kafka_url=f"127.0.0.1:{port}")
        process = waiting.start(*words, port_name=port_name)
        try:
            await eventually(lambda: has_connected(process.child, port), "a connection")
            process.child.ask()
            assert await ended_in_time(process) == 0
            assert "stopped before it was ready" in process.log.read_text()
        finally:
            process.child.stop(0)


def has_connected(child: Child, port: int) -> bool:
    """Tell whether a process on this machine has connected to a port, by the kernel's table."""
    assert child.exit_code() is None
    there = f":{port:04X} 01"
    return there in Path("/proc/net/tcp").read_text()


async def test_partitions_that_move_while_a_worker_stops_do_not_hold_it_up(
    installation: Installation,
) -> None:
    topic = installation.topics.user_commands
    database = create_database(installation.settings.sqlalchemy_url)
    async with (
        installation.observed() as (producer, listener),
        installation.worker() as worker,
    ):
        app = worker._app
        async with database.begin() as connection:
            await lock_marks(connection, topic.name, range(topic.partitions))
            sent = await producer.send(wire.ChargeBalance(1, 10))
            await eventually(lambda: bool(app.consumer.unacked), "a command in hand")
            stopping = asyncio.create_task(worker.stop())
            await eventually(lambda: app.should_stop, "a worker that stops")
            thread = app.consumer._thread
            rejoin = thread._consumer._coordinator.request_rejoin
            thread.thread_loop.call_soon_threadsafe(rejoin)
            await eventually(lambda: app.rebalancing, "partitions that move")
        await eventually(stopping.done, "the end of the stop")
        assert (await listener.result_at(sent.place)).status == 200
    await database.dispose()
