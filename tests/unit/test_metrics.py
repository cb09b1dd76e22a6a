"""What a process counts: once for each batch, by route, and without rows that strangers make."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams import metrics
from web.metrics import count_request, create_metrics_page

Client = TestClient[Any, Any]


def value(metric: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(metric, labels) or 0.0


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    app = web.Application()
    app.router.add_get("/answers/{status}", answer)
    app.on_response_prepare.append(count_request)
    async with TestClient(TestServer(app)) as client:
        yield client


def test_a_batch_is_counted_by_what_became_of_its_records() -> None:
    names = ("fairline_batches_total", "fairline_records_replayed_total")
    before = [value(name) for name in names]
    refused = value("fairline_records_applied_total", disposition="REFUSED")
    metrics.note_batch(["APPLIED", "REFUSED", "REFUSED"], 4)
    assert [value(name) for name in names] == [before[0] + 1, before[1] + 4]
    assert value("fairline_records_applied_total", disposition="REFUSED") == refused + 2


def test_an_alarm_is_there_while_it_is_raised() -> None:
    metrics.show_alarms(["deadLetters"])
    assert value("fairline_alarm", name="deadLetters") == 1
    metrics.show_alarms([])
    assert b'name="deadLetters"' not in metrics.render()


def test_a_partition_that_is_gone_or_unknown_is_not_shown() -> None:
    metrics.show_lines(metrics.LAG, {("users", 0): 3, ("users", 1): 5})
    metrics.show_lines(metrics.LAG, {("users", 1): 0, ("users", 2): None})
    shown = [line for line in metrics.render().decode().splitlines() if "lag_records{" in line]
    assert shown == ['fairline_lag_records{partition="1",topic="users"} 0.0']


async def test_requests_are_counted_by_the_template_of_their_route(client: Client) -> None:
    known = {"method": "GET", "route": "/answers/{status}"}
    before = value("fairline_requests_total", **known, status="418")
    for _ in range(2):
        await client.get("/answers/418")
    assert value("fairline_requests_total", **known, status="418") == before + 2


async def test_paths_and_methods_that_lead_nowhere_share_a_row(client: Client) -> None:
    nowhere = {"method": "none", "route": "none"}
    before = value("fairline_requests_total", **nowhere, status="404")
    for path in ("/a", "/b"):
        await client.get(path)
    await client.post("/answers/200")
    assert value("fairline_requests_total", **nowhere, status="404") == before + 2
    assert value("fairline_requests_total", **nowhere, status="405") >= 1


async def test_the_page_is_what_prometheus_reads() -> None:
    async with TestClient(TestServer(create_metrics_page())) as client:
        response = await client.get("/metrics")
        assert response.headers["Content-Type"] == metrics.CONTENT_TYPE
        assert "process_resident_memory_bytes" in await response.text()
