"""What is no HTTP request gets a problem; who sends too slowly is cut; nothing of it is logged."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient

from streams import wire
from streams.metrics import REGISTRY
from tests.edges import Server
from web import protocol, requests
from web.answers import add_headers
from web.problems import answer_problems
from web.requests import BODY_BYTES_MAX, read_body

SECRET = "s3cr3t-t0ken"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    async def charge(request: web.Request) -> web.Response:
        payload = await read_body(request, wire.ChargeBalance)
        return web.json_response({"amount": payload.amount})

    app = web.Application(middlewares=[answer_problems], client_max_size=BODY_BYTES_MAX)
    app.on_response_prepare.append(add_headers)
    app.router.add_post("/charge", charge)
    client: TestClient[Any, Any] = TestClient(Server(app))
    async with client:
        yield client.server.port or 0


async def told(port: int, *pieces: bytes) -> tuple[int, dict[str, str], Any]:
    """Send pieces, and read until the connection ends: status, headers and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    raw = await reader.read()
    writer.close()
    if not raw:
        return 0, {}, None
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


def refused(what: str) -> float:
    return REGISTRY.get_sample_value("fairline_refused_total", {"what": what}) or 0.0


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "HEAD_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9_000 + b"\r\n\r\n", 431, "HEAD_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 400, "INVALID_REQUEST"),
        (b"NONSENSE\r\n\r\n", 400, "INVALID_REQUEST"),
        (b"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", 400, "INVALID_REQUEST"),
    ],
    ids=["url", "header", "headers", "nonsense", "name"],
)
async def test_a_bad_head_is_a_problem_and_is_not_logged(
    port: int, head: bytes, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = head.replace(b"\r\n", b"\r\nAuthorization: Bearer " + SECRET.encode() + b"\r\n", 1)
    found, headers, body = await told(port, secret)
    assert (found, body["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"]
    assert SECRET not in caplog.text
    assert SECRET not in json.dumps(body)


async def test_a_head_that_never_ends_is_cut(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.2)
    before = refused("slow head")
    assert (await told(port, b"POST /charge HTTP/1.1\r\nHost:"))[0] == 0
    assert refused("slow head") == before + 1


async def test_a_second_head_that_never_ends_is_cut_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.2)
    before = refused("slow head")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"}")
    writer.write(b"GET ")
    assert await reader.read() == b""
    assert refused("slow head") == before + 1
    writer.close()


async def test_a_body_that_never_ends_is_refused_and_cut(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS_MAX", 0.2)
    before = refused("slow body")
    head = b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    status, headers, body = await told(port, head + b'Content-Length: 30\r\n\r\n{"userId"')
    assert (status, body["code"], headers["connection"]) == (408, "REQUEST_TIMEOUT", "close")
    assert refused("slow body") == before + 1


async def test_a_head_and_a_body_may_come_in_pieces(port: int) -> None:
    body = b'{"userId":1,"amount":7}'
    pieces = [
        b"POST /charge HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
        b"Content-Length: %d\r\n\r\n" % len(body),
        body[:5],
        body[5:],
    ]
    status, _, answered = await told(port, *pieces)
    assert (status, answered) == (200, {"amount": 7})
