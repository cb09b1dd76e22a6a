"""The broker itself is killed under load and comes back: nothing is lost, nothing is doubled."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
import pytest_asyncio

from app.services.child import Child
from app.services.errors import StartError
from app.services.kafka import Kafka
from app.services.ports import free_port
from app.services.service import wait_until_answering
from tests import services
from tests.client import Listener, eventually
from tests.installation import Process, install
from tests.looks import QUICK, noted_looks
from tests.scenario import say
from tests.traffic import COUPON, assert_nothing_lost_nothing_doubled, flowing


class Broker:
    """A Kafka of our own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self.kafka = Kafka(folder, free_port())
        self.kafka.prepare()
        self.child: Child = self.kafka.launch()

    async def answers(self) -> None:
        """Wait without holding up those who wait for it too."""
        await asyncio.to_thread(wait_until_answering, self.kafka, self.child)

    async def kill_and_launch(self) -> None:
        """End it as a power cut would, and start it again on its data."""
        await self.kill()
        await self.launch()

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.child.process.kill()
        await asyncio.to_thread(self.child.process.wait)

    async def launch(self) -> None:
        """Start it again on its data."""
        self.child = self.kafka.launch()
        await self.answers()


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    try:
        broker = Broker(tmp_path / "kafka")
    except StartError as error:
        services.do_without(error)
    await broker.answers()
    yield broker
    broker.child.stop(10)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the worker was found alive, look by look."""
    return noted_looks(monkeypatch)


async def test_a_broker_killed_under_load(
    broker: Broker, own_database_url: str, tmp_path: Path
) -> None:
    installation = await install(broker.kafka.url, own_database_url, tmp_path, worker_name="one")
    async with (
        installation.observed() as (producer, listener),
        installation.process("worker", port_name="worker_port") as worker,
    ):
        await worker.ready()
        await say(producer, listener, COUPON)
        async with flowing(producer, per_second=100) as traffic:
            await listener.more(200)
            await broker.kill_and_launch()
            await goes_on(listener, worker)
        history = await traffic.history()
        await assert_nothing_lost_nothing_doubled(installation, listener, history)


async def goes_on(listener: Listener, worker: Process) -> None:
    """The same worker finds the broker again; nobody has to start it anew."""
    await listener.more(200)
    assert worker.child.exit_code() is None


async def test_a_broker_that_is_away_makes_a_worker_unready_and_not_dead(
    broker: Broker, own_database_url: str, tmp_path: Path, looks: list[bool]
) -> None:
    installation = await install(broker.kafka.url, own_database_url, tmp_path)
    async with (
        installation.observed() as (producer, listener),
        installation.worker(QUICK) as worker,
    ):
        await say(producer, listener, COUPON)
        await broker.kill()
        await eventually(lambda: not worker.health.broker_answers, "a worker that has asked")
        before = len(looks)
        await eventually(lambda: len(looks) > before + 2 * QUICK.looks_max, "looks meanwhile")
        assert worker.health.checks()["database"]
        await broker.launch()
        await eventually(lambda: worker.health.is_ready, "a ready worker")
        await say(producer, listener, COUPON)
        assert all(looks)


async def test_a_stop_without_the_broker_ends_in_time(
    broker: Broker, own_database_url: str, tmp_path: Path
) -> None:
    installation = await install(broker.kafka.url, own_database_url, tmp_path)
    async with installation.observed() as (producer, listener), AsyncExitStack() as stack:
        roles = ((("worker",), "worker_port"), (("edge", "--with-worker"), "http_port"))
        processes = [installation.start(*words, port_name=name) for words, name in roles]
        for process in processes:
            stack.callback(process.child.stop, 0)
        await asyncio.gather(*[process.ready() for process in processes])
        await say(producer, listener, COUPON)
        # Frozen it is worse than dead: connections stay, and nobody answers on them.
        broker.child.process.send_signal(SIGSTOP)
        stack.callback(broker.child.process.send_signal, SIGCONT)
        began = time.monotonic()
        for process in processes:
            process.child.ask()
        codes = await asyncio.gather(*[process.left() for process in processes])
        assert time.monotonic() - began < 20
        assert set(codes) <= {0, 70}, codes
