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
from tests.client import eventually
from tests.edges import Server
from web.answers import SECURITY_HEADERS
from web.shortcut import SHORTCUT, Shortcut, refuse_at_once
from web.turnstile import Turnstile, Visitor

PATH = "/api/v1/balance/charge"
BODY = b'{"userId":7,"amount":1}'


def request(*headers: str, body: bytes = BODY, path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def told(_payload: wire.Shape, _who: str, _waiting: int) -> int:
    return 9


REFUSING = Shortcut(told, waiting_max=100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST",
        request()[:-1],
        request() + b"x",
        request() + b" ",
        request() + request(),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(path="/api/v1/balance"),
        request(path=f"{PATH}?a=b"),
        request(body=b"{}"),
        request(body=b'{"userId":7,"amount":1,"price":1}'),
        request(body=b"nonsense"),
        request("content-length: 23"),
        request("Connection: close"),
        request("Expect: 100-continue"),
        request("Transfer-Encoding: chunked"),
        request("Content-Encoding: gzip"),
        request("Upgrade: h2c"),
        b"GET /api/v1/balance?userId=7 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /api/v1/balance HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_read_as_any_other(data: bytes) -> None:
    assert refuse_at_once(data, REFUSING, 99) is None


def test_who_may_join_is_read_as_any_other() -> None:
    assert refuse_at_once(request(), Shortcut(lambda *_: None, 100), 99) is None


@pytest.mark.parametrize(
    "header",
    [
        "Idempotency-Key: a",
        "Prefer: respond-async",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_what_a_client_adds_to_a_command_changes_nothing(header: str) -> None:
    assert refuse_at_once(request(header), REFUSING, 1) is not None


def test_the_line_hears_who_asks_and_how_many_wait() -> None:
    asked = []

    def hear(payload: wire.Shape, who: str, waiting: int) -> int:
        asked.append((payload, who, waiting))
        return 9

    for headers in ((), ("Authorization: Bearer a",), ("authorization: Bearer b",)):
        refuse_at_once(request(*headers), Shortcut(hear, 100), 12)
    payloads, names, numbers = zip(*asked, strict=True)
    assert payloads == (wire.ChargeBalance(7, 1),) * 3
    assert set(numbers) == {12}
    # What a token says is not known yet; but the same one is the same visitor.
    assert names[0] == "7"
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    "data", [b"GET /api/v1/balance?userId=7 HTTP/1.1\r\nHost: x\r\n\r\n", request()]
)
def test_beyond_what_an_edge_takes_whatever_comes_is_refused(data: bytes) -> None:
    joining = Shortcut(lambda *_: None, waiting_max=100)
    assert refuse_at_once(data, joining, 99) is None
    answer = refuse_at_once(data, joining, 100)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"TOO_MANY_IN_FLIGHT" in answer
    assert b"\r\nRetry-After: 1\r\n" in answer


def test_a_refusal_is_the_problem_that_the_usual_way_would_tell() -> None:
    answer = refuse_at_once(request("x-request-id: mine-3"), REFUSING, 1)
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

    def refuse(self, payload: wire.Shape, _who: str, _waiting: int) -> int | None:
        self.asked.append(payload)
        return self.told

    async def serve(self, request: web.Request) -> web.Response:
        self.served += 1
        return web.json_response({"got": len(await request.read())})


class Crowded(Turnstile):
    """Before whom somebody waits all the time; who joins is held as long as a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[Visitor, bytes]] = []
        self.is_holding = False

    def enter(self, visitor: Visitor, data: bytes) -> None:
        if visitor.refuse(data, 1):
            return
        self.held.append((visitor, data))
        if not self.is_holding:
            self.release()

    def release(self) -> None:
        self.is_holding = False
        while self.held:
            visitor, data = self.held.pop(0)
            visitor.take(data)


@pytest.fixture
def turnstile(monkeypatch: pytest.MonkeyPatch) -> Crowded:
    crowded = Crowded()
    monkeypatch.setattr("web.protocol.Turnstile", lambda: crowded)
    return crowded


@pytest_asyncio.fixture
async def crowd(turnstile: Crowded) -> AsyncIterator[Crowd]:
    crowd, app = Crowd(), web.Application()
    app[SHORTCUT] = Shortcut(crowd.refuse, waiting_max=100)
    app.router.add_post(PATH, crowd.serve)
    async with TestClient(Server(app)) as client:
        crowd.port = client.server.port or 0
        yield crowd
    assert turnstile.held == []


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


async def test_questions_about_health_do_not_wait(crowd: Crowd, turnstile: Crowded) -> None:
    turnstile.is_holding = True
    reader, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    # The crowd's edge has no such route; but it was asked.
    assert await status_of(reader) == 404
    writer.close()


async def test_what_comes_behind_a_request_that_waits_is_not_answered_before_it(
    crowd: Crowd, turnstile: Crowded
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    crowd.told = None
    writer.write(request())
    assert await status_of(reader) == 200
    turnstile.is_holding = True
    writer.write(request())
    await until_held(turnstile, 1)
    crowd.told = 9
    writer.write(request())
    await until_held(turnstile, 2)
    turnstile.release()
    assert [await status_of(reader) for _ in range(2)] == [200, 200]
    writer.close()


async def until_held(turnstile: Crowded, number: int) -> None:
    await eventually(lambda: len(turnstile.held) >= number, f"{number} held")


async def test_who_leaves_while_he_waits_is_forgotten(crowd: Crowd, turnstile: Crowded) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    turnstile.is_holding, crowd.told = True, None
    writer.write(request())
    await until_held(turnstile, 1)
    writer.close()
    await writer.wait_closed()
    visitor = turnstile.held[0][0]
    await eventually(lambda: getattr(visitor, "transport", None) is None, "the end")
    turnstile.release()
    assert crowd.served == 0
