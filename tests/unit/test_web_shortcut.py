"""In a crowd a command is refused before it is read as HTTP, and told what it would be told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient

from streams import wire
from tests.edges import Server
from web.answers import SECURITY_HEADERS
from web.shortcut import SHORTCUT, refuse_at_once

PATH = "/api/v1/balance/charge"
BODY = b'{"userId":7,"amount":1}'


def request(*headers: str, body: bytes = BODY, path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def refusing(_payload: wire.Shape) -> int:
    return 9


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST",
        request()[:-1],
        request() + b"x",
        request() + request(),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(path="/api/v1/balance"),
        request(path=f"{PATH}?a=b"),
        request(body=b"{}"),
        request(body=b'{"userId":7,"amount":1,"price":1}'),
        request(body=b"nonsense"),
        request("content-length: 23"),
        request("Idempotency-Key: a"),
        request("authorization: Bearer x"),
        request("Connection: close"),
        request("Expect: 100-continue"),
        request("Prefer: respond-async"),
        request("Transfer-Encoding: chunked"),
        request("Content-Encoding: gzip"),
        request("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_read_as_any_other(data: bytes) -> None:
    assert refuse_at_once(data, refusing) is None


def test_who_may_join_is_read_as_any_other() -> None:
    assert refuse_at_once(request(), lambda _payload: None) is None


def test_a_refusal_is_the_problem_that_the_usual_way_would_tell() -> None:
    answer = refuse_at_once(request("x-request-id: mine-3"), refusing)
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == "HTTP/1.1 429 Too Many Requests"
    assert (headers["Retry-After"], headers["X-Request-Id"]) == ("9", "mine-3")
    assert headers["Content-Type"] == "application/problem+json"
    assert int(headers["Content-Length"]) == len(body)
    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    told = json.loads(body)
    assert (told["status"], told["code"], told["requestId"]) == (429, "TOO_MANY_WAITING", "mine-3")


@dataclass
class Crowd:
    """An edge that is overloaded as long as a test says so."""

    told: int | None = 9
    served: int = 0
    asked: list[wire.Shape] = field(default_factory=list)
    port: int = 0

    def refuse(self, payload: wire.Shape) -> int | None:
        self.asked.append(payload)
        return self.told

    async def serve(self, request: web.Request) -> web.Response:
        self.served += 1
        return web.json_response({"got": len(await request.read())})


@pytest_asyncio.fixture
async def crowd() -> AsyncIterator[Crowd]:
    crowd, app = Crowd(), web.Application()
    app[SHORTCUT] = crowd.refuse
    app.router.add_post(PATH, crowd.serve)
    async with TestClient(Server(app)) as client:
        crowd.port = client.server.port or 0
        yield crowd


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer, whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1])


async def test_one_connection_is_refused_and_served_in_turn(crowd: Crowd) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    found = []
    for told in (None, 9, 9, None, 9):
        crowd.told = told
        writer.write(request())
        found.append(await status_of(reader))
    # On a fresh connection the first request may come before anybody listens for it.
    assert found == [200, 429, 429, 200, 429]
    assert crowd.asked[-1] == wire.ChargeBalance(7, 1)
    assert crowd.served == 2
    writer.close()


async def test_requests_that_come_together_are_answered_in_their_order(crowd: Crowd) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    crowd.told = None
    writer.write(request())
    assert await status_of(reader) == 200
    crowd.told = 9
    whole = request()
    writer.write(whole + whole + whole[:10])
    assert [await status_of(reader) for _ in range(2)] == [200, 200]
    writer.write(whole[10:])
    assert await status_of(reader) == 200
    writer.write(whole)
    assert await status_of(reader) in (200, 429)
    writer.close()
