"""What stands before the handlers: requests in hand, quotas, ids and safe headers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from streams.request_id import REQUEST_ID
from tests.edges import Server
from web.answers import SECURITY_HEADERS, add_headers
from web.in_flight import bound_requests
from web.problems import ProblemError, answer_problems
from web.quotas import Quota
from web.rate_limit import RateLimit, limit_rate
from web.shared_cache import LocalCache

Client = TestClient[Any, Any]


class Desk:
    """Handlers that wait until they may answer."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.begun = 0

    async def work(self, _request: web.Request) -> web.Response:
        self.begun += 1
        await self.may_answer.wait()
        return web.json_response({"request": REQUEST_ID.get()})

    async def fail(self, _request: web.Request) -> web.Response:
        logging.getLogger("web").warning("failing")
        raise ProblemError(409, "BUSY", "Not now.")

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({}, headers={"Cache-Control": "max-age=5"})


@asynccontextmanager
async def served(
    desk: Desk, *, requests_max: int = 100, quota: Quota | None = None
) -> AsyncIterator[Client]:
    exempt = frozenset({desk.health})
    guards = [bound_requests(requests_max, exempt)]
    if quota is not None:
        guards.append(limit_rate(RateLimit(quota, LocalCache()), quota, exempt))
    app = web.Application(middlewares=[answer_problems, *guards])
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/work", desk.work)
    app.router.add_get("/fail", desk.fail)
    app.router.add_get("/health", desk.health)
    async with TestClient(Server(app)) as client:
        yield client


async def test_more_than_may_be_in_hand_are_refused_and_health_is_not() -> None:
    desk = Desk()
    async with served(desk, requests_max=2) as client:
        waiting = [asyncio.create_task(client.get("/work")) for _ in range(2)]
        while desk.begun < 2:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        async with client.get("/work") as refused:
            told = await refused.json()
            assert (refused.status, told["code"]) == (503, "TOO_MANY_IN_FLIGHT")
            assert refused.headers["Retry-After"] == "1"
        async with client.get("/health") as health:
            assert health.status == 200
        desk.may_answer.set()
        for task in waiting:
            assert (await task).status == 200
        # Their places are free again, and so is that of a request that failed.
        for path, status in (("/fail", 409), ("/fail", 409), ("/fail", 409), ("/work", 200)):
            async with client.get(path) as response:
                assert response.status == status


async def test_a_quota_is_told_with_each_answer_and_held() -> None:
    desk = Desk()
    desk.may_answer.set()
    async with served(desk, quota=Quota(2, 3600)) as client:
        told = []
        for _ in range(3):
            async with client.get("/work") as response:
                told.append((response.status, response.headers["RateLimit"]))
                assert response.headers["RateLimit-Policy"] == '"default";q=2;w=3600'
        assert told == [
            (200, '"default";r=1;t=1800'),
            (200, '"default";r=0;t=3600'),
            (429, '"default";r=0;t=3600'),
        ]
        async with client.get("/work") as refused:
            assert (await refused.json())["code"] == "RATE_LIMITED"
            assert 1 <= int(refused.headers["Retry-After"]) <= 1_800
        async with client.get("/health") as health:
            assert (health.status, "RateLimit" in health.headers) == (200, False)


@pytest.mark.parametrize("path", ["/work", "/fail", "/nowhere"])
async def test_every_answer_is_safe_and_carries_the_requests_id(path: str) -> None:
    desk = Desk()
    desk.may_answer.set()
    async with served(desk) as client:
        async with client.get(path, headers={"X-Request-Id": "mine-1"}) as response:
            assert response.headers["X-Request-Id"] == "mine-1"
            assert {n: response.headers[n] for n in SECURITY_HEADERS} == SECURITY_HEADERS
            body = await response.json()
            assert "mine-1" in (body.get("request"), body.get("requestId"))
        async with client.get("/health") as health:
            assert health.headers["Cache-Control"] == "max-age=5"


@pytest.mark.parametrize("sent", ["", "a b", 'a"b', "é", "x" * 129, "{}", None])
async def test_an_id_that_is_not_sane_is_replaced(sent: str | None) -> None:
    desk = Desk()
    async with served(desk) as client:
        ids = set()
        for _ in range(2):
            headers = {} if sent is None else {"X-Request-Id": sent}
            async with client.get("/fail", headers=headers) as response:
                ids.add(response.headers["X-Request-Id"])
                assert (await response.json())["requestId"] in ids
        assert len(ids) == 2
        assert sent not in ids


async def test_what_is_logged_meanwhile_carries_the_id() -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            heard.append(REQUEST_ID.get())

    ear = Ear()
    logging.getLogger("web").addHandler(ear)
    try:
        async with served(Desk()) as client:
            (await client.get("/fail", headers={"X-Request-Id": "mine-2"})).close()
    finally:
        logging.getLogger("web").removeHandler(ear)
    assert heard == ["mine-2"]
