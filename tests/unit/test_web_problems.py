"""Every error, whoever raised it, leaves the edge as a problem with a code."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import exc

from streams import wire
from web.problems import (
    OutcomeUnknownError,
    ProblemError,
    UnavailableError,
    answer_problems,
    expect,
    respond_to_http_error,
)
from web.requests import BODY_BYTES_MAX, read_body

AWAY = exc.OperationalError("SELECT 1", {}, ConnectionRefusedError("postgres://secret@host"))
JSON = {"Content-Type": "application/json"}
ERRORS: dict[str, Exception] = {
    "/teapot": ProblemError(418, "TEAPOT", "Short and stout.", spout=True),
    "/away": UnavailableError("Gone."),
    "/unknown": OutcomeUnknownError("c-1"),
    "/database": AWAY,
    "/refused": ConnectionRefusedError("secret"),
    "/slow": TimeoutError("secret"),
    "/bug": KeyError("secret"),
    "/conflict": web.HTTPConflict(),
}


Client = TestClient[Any, Any]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async def fail(request: web.Request) -> web.Response:
        raise ERRORS[request.path]

    async def charge(request: web.Request) -> web.Response:
        payload = await read_body(request, wire.ChargeBalance)
        return web.json_response({"amount": payload.amount})

    app = web.Application(middlewares=[answer_problems], client_max_size=BODY_BYTES_MAX)
    app.add_routes([web.get(path, fail) for path in ERRORS])
    app.router.add_post("/charge", charge, expect_handler=expect)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "code", "headers"),
    [
        ("/teapot", 418, "TEAPOT", {}),
        ("/away", 503, "UNAVAILABLE", {"Retry-After": "1"}),
        ("/unknown", 503, "OUTCOME_UNKNOWN", {"Command-Id": "c-1", "Retry-After": "1"}),
        ("/database", 503, "UNAVAILABLE", {"Retry-After": "1"}),
        ("/refused", 503, "UNAVAILABLE", {"Retry-After": "1"}),
        ("/slow", 503, "UNAVAILABLE", {"Retry-After": "1"}),
        ("/bug", 500, "INTERNAL_ERROR", {}),
        ("/conflict", 409, "CONFLICT", {}),
        ("/nowhere", 404, "NOT_FOUND", {}),
        ("/charge", 405, "METHOD_NOT_ALLOWED", {"Allow": "POST"}),
    ],
)
async def test_an_error_is_a_problem_and_tells_no_internals(
    client: Client, path: str, status: int, code: str, headers: dict[str, str]
) -> None:
    async with client.get(path) as response:
        body = await response.json()
        assert response.status == body["status"] == status
        assert response.content_type == "application/problem+json"
        assert (body["code"], set(body) >= {"type", "title", "detail"}) == (code, True)
        assert {name: response.headers[name] for name in headers} == headers
        assert "secret" not in await response.text()


async def test_members_say_more(client: Client) -> None:
    async with client.get("/teapot") as response:
        assert (await response.json())["spout"] is True
    async with client.get("/unknown") as response:
        assert (await response.json())["commandId"] == "c-1"


async def test_only_the_unexpected_is_logged_as_an_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (*ERRORS, "/nowhere"):
        async with client.get(path):
            pass
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert [r.getMessage() for r in errors] == ["GET /bug failed"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 200),
        ("application/json", 200),
        ("Application/JSON ; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonlines", 415),
        ("", 415),
    ],
)
async def test_a_body_of_another_type_is_refused(
    client: Client, content_type: str | None, status: int
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    skipped = ["Content-Type"] if content_type is None else []
    data = b'{"userId":1,"amount":7}'
    async with client.post(
        "/charge", data=data, headers=headers, skip_auto_headers=skipped
    ) as response:
        assert response.status == status


async def in_pieces(pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        yield b" " * 1024


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize(("kib", "status"), [(64, 400), (65, 413)])
async def test_a_body_over_64_kib_is_refused_however_it_comes(
    client: Client, is_chunked: bool, kib: int, status: int
) -> None:
    data = in_pieces(kib) if is_chunked else b" " * 1024 * kib
    async with client.post("/charge", data=data, headers=JSON) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"


async def test_a_body_that_is_not_what_its_encoding_says_is_the_clients_fault(
    client: Client,
) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    async with client.post("/charge", data=b"plain", headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, "INVALID_REQUEST")


async def test_an_expectation_is_met_or_refused_with_a_problem(client: Client) -> None:
    data = b'{"userId":1,"amount":7}'
    async with client.post("/charge", data=data, headers=JSON, expect100=True) as response:
        assert await response.json() == {"amount": 7}
    async with client.post("/charge", data=data, headers={"Expect": "miracles"}) as response:
        assert (response.status, response.content_type) == (417, "application/problem+json")


@pytest.mark.parametrize("error", [web.HTTPGone(), web.HTTPRequestEntityTooLarge(1, 2)])
def test_an_error_of_the_http_library_keeps_its_status(error: web.HTTPException) -> None:
    assert respond_to_http_error(error).status == error.status
