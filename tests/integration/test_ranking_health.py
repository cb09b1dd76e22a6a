"""The health of a ranking worker: it says when it stands still, and whom it cannot reach."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from app.addresses import answers_ok
from app.services.ports import free_port
from tables.sale_intake import SaleIntake
from tests.client import eventually
from tests.installation import Installation, install
from tests.integration.test_ranking import edge_side, ranking, selling, shows
from tests.integration.test_worker_faults import database_behind_proxy
from tests.looks import QUICK

PRODUCT, PIECES = 1, 3


async def ask(port: int, path: str) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{port}{path}"
    async with ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def is_well(port: int) -> bool:
    return (await ask(port, "/livez"))[0] == 200


async def test_an_agent_that_counts_no_sales_any_more_is_told(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, port = asyncio.Event(), free_port()
    take = SaleIntake.take

    async def wait_for_ever(*arguments: Any) -> None:
        await go_on.wait()
        await take(*arguments)

    async def is_failed() -> Any:
        status, body = await ask(port, "/livez")
        return body["faults"] if status == 503 else None

    async with ranking(installation, port, QUICK), selling(installation) as sales:
        monkeypatch.setattr(SaleIntake, "take", wait_for_ever)
        await sales.sell(PRODUCT, PIECES, 0)
        faults = await eventually(is_failed, "a worker that says that it stands still")
        assert faults["agents"]["what"] == "stands still with work in hand: count-sales"
        go_on.set()
        async with edge_side(installation) as reader:
            await shows(reader, [(PRODUCT, PIECES)])
        await eventually(lambda: is_well(port), "a worker that goes on")


async def test_a_database_that_is_away_makes_it_unready_and_its_views_go_on(
    installation: Installation,
) -> None:
    port = free_port()

    async def checks_without(names: set[str]) -> Any:
        status, body = await ask(port, "/readyz")
        failing = {name for name, holds in body["checks"].items() if not holds}
        return (status, failing) == (503 if names else 200, names)

    async with (
        database_behind_proxy(installation, retry_seconds_max=60) as (proxy, apart),
        ranking(apart, port, QUICK),
    ):
        await eventually(lambda: checks_without(set()), "a ready worker")
        body = (await ask(port, "/readyz"))[1]
        names = {"database", "broker", "assignment", "recovery", "loaded"}
        assert body["checks"].keys() == names
        await proxy.shut()
        await eventually(lambda: checks_without({"database"}), "a worker without its database")
        assert await is_well(port)
        assert (await ask(port, f"/ranking/products/{PRODUCT}"))[0] == 200
        await proxy.open()
        await eventually(lambda: checks_without(set()), "a ready worker")


async def test_a_worker_is_ready_where_there_are_more_workers_than_partitions(
    kafka_url: str, own_database_url: str, tmp_path: Path
) -> None:
    installation = await install(kafka_url, own_database_url, tmp_path, partitions=1)
    port = free_port()

    async def are_ready() -> bool:
        urls = (f"http://127.0.0.1:{port}/readyz", f"{other.url}/readyz")
        return all([await asyncio.to_thread(answers_ok, url) for url in urls])

    async with (
        ranking(installation, port, QUICK) as worker,
        installation.process("worker", "--kind", "ranking", port_name="ranking_port") as other,
    ):
        await other.ready()
        await eventually(are_ready, "two workers that are ready")
        owned = [
            (await ask(each, "/ranking/table"))[1]["partitions"] for each in (port, other.port)
        ]
        assert sorted(owned) == [[], [0]]
        assert worker.health.liveness.is_alive
