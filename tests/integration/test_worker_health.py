"""A worker that stands still says so within seconds; one that waits or is idle is well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from signal import SIGUSR1
from typing import Any

import pytest
from aiohttp import ClientSession

from app.addresses import answers_ok
from streams import wire
from streams.batch import BatchApplier
from streams.worker import CommandWorker
from tests.client import Producer, eventually, producing
from tests.installation import Installation
from tests.integration.test_worker_faults import database_behind_proxy
from tests.looks import QUICK, noted_looks


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the worker was found alive, look by look."""
    return noted_looks(monkeypatch)


@asynccontextmanager
async def at_work(installation: Installation) -> AsyncIterator[tuple[CommandWorker, Producer]]:
    url, topics = installation.settings.kafka_url, installation.topics
    async with (
        installation.worker(QUICK) as worker,
        producing(url, topics) as producer,
    ):
        yield worker, producer


async def livez(worker: CommandWorker) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{worker._faust_settings.web_port}/livez"
    async with ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def failing(worker: CommandWorker, check: str) -> Any:
    """Wait until this check fails, and return what is said of it."""

    async def look() -> Any:
        status, body = await livez(worker)
        assert (status == 503) is (body["status"] == "failed")
        return body["faults"].get(check)

    return await eventually(look, f"a worker whose {check} are at fault")


async def test_an_agent_that_stands_still_with_work_in_hand_is_told(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    apply = BatchApplier.apply

    async def wait_for_ever(*arguments: Any, **named: Any) -> Any:
        await go_on.wait()
        return await apply(*arguments, **named)

    async with at_work(installation) as (worker, producer):
        assert await eventually(lambda: livez(worker), "an answer") == (
            200,
            {
                "status": "ok",
                "checks": dict.fromkeys(("agents", "delivery", "fetcher", "consumerThread"), True),
                "faults": {},
            },
        )
        monkeypatch.setattr(BatchApplier, "apply", wait_for_ever)
        await producer.send(wire.ChargeBalance(1, 10))
        fault = await failing(worker, "agents")
        assert fault["what"] == "stands still with work in hand: process-user-commands"
        assert worker.health.is_ready
        go_on.set()
        await eventually(lambda: worker.health.liveness.is_alive, "a worker that goes on")


async def test_a_worker_that_nobody_starts_anew_leaves_by_itself(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("streams.liveness.leave", said.append)
    impatient = replace(QUICK, told_looks_max=3)
    async with installation.worker(impatient) as worker:
        for future in list(worker._app._fetcher._futures):
            future.cancel()
        await eventually(lambda: bool(said), "a worker that leaves")


async def test_an_agent_that_has_ended_is_told_though_faust_began_another(
    installation: Installation,
) -> None:
    async with at_work(installation) as (worker, _):
        next(iter(worker._app.agents["process-coupon-commands"]._actors)).actor_task.cancel()
        fault = await failing(worker, "agents")
        assert fault["what"] == "ended: process-coupon-commands"


async def test_a_fetcher_that_has_ended_is_told(installation: Installation) -> None:
    async with at_work(installation) as (worker, _):
        for future in list(worker._app._fetcher._futures):
            future.cancel()
        fault = await failing(worker, "fetcher")
        assert fault["what"] == "nothing fetches records any more"


async def test_records_that_wait_and_do_not_come_in_are_told(installation: Installation) -> None:
    async with at_work(installation) as (worker, producer):
        worker._app.consumer.stop_flow()
        await producer.send(wire.ChargeBalance(1, 10))
        fault = await failing(worker, "delivery")
        assert fault["what"].startswith("none of the records that wait comes in: ")


async def test_a_worker_with_nothing_to_do_is_well(
    installation: Installation, looks: list[bool]
) -> None:
    async with at_work(installation) as (_, producer):
        await producer.send(wire.ChargeBalance(1, 10))
        await eventually(lambda: len(looks) > 2 * QUICK.looks_max, "looks at an idle worker")
        assert all(looks)


async def test_a_transaction_that_stays_open_is_nothing_that_waits(
    installation: Installation, looks: list[bool]
) -> None:
    url, topics = installation.settings.kafka_url, installation.topics
    async with (
        at_work(installation),
        producing(url, topics, installation.settings.topic_prefix) as producer,
        producer.transaction(commit=True),
    ):
        await producer.send(wire.ChargeBalance(1, 10))
        before = len(looks)
        await eventually(lambda: len(looks) > before + 2 * QUICK.looks_max, "looks meanwhile")
        assert all(looks)


async def test_a_database_that_is_away_is_seen_by_an_idle_worker_and_is_no_reason_to_start_anew(
    installation: Installation, looks: list[bool]
) -> None:
    async with (
        database_behind_proxy(installation, retry_seconds_max=60) as (proxy, apart),
        at_work(apart) as (worker, producer),
    ):
        await proxy.shut()
        await eventually(lambda: not worker.health.database_answers, "a worker that has asked")
        assert worker.health.checks()["broker"] is True
        await producer.send(wire.ChargeBalance(1, 10))
        before = len(looks)
        await eventually(lambda: len(looks) > before + 2 * QUICK.looks_max, "looks meanwhile")
        await proxy.open()
        await eventually(lambda: worker.health.is_ready, "a ready worker")
        assert all(looks)


async def test_a_process_whose_loop_is_blocked_leaves_and_says_where_it_stood(
    installation: Installation,
) -> None:
    words = ("edge", "--with-worker")
    process = installation.start(*words, port_name="http_port", module="tests.blockable")
    try:
        await process.ready()
        assert await asyncio.to_thread(answers_ok, f"{process.url}/livez")
        process.child.process.send_signal(SIGUSR1)
        assert await process.left() == 70
    finally:
        process.child.stop(0)
    assert "in stand_still" in process.log.read_text()
