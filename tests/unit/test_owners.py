"""Asking every ranking worker, where some answer late, wrongly or not at all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from app.services.ports import free_port
from domain.comparison import Comparison
from domain.ranking import HOUR_MS, TopList, Window
from streams.outcomes import problem
from tables.owners import (
    FORWARDED,
    OwnerAwayError,
    Owners,
    PartitionsMovingError,
    ask,
    check_everywhere,
)
from tables.shapes import encode_comparison

WINDOW = Window(100 * HOUR_MS, 172 * HOUR_MS)
MOVING = (503, problem(503, "OWNER_AWAY", "This worker is not ready: loaded.").body)
FAILED = (500, problem(500, "INTERNAL_ERROR", "Something went wrong.").body)

Said = tuple[int, bytes]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions have a moment, no minute, to come to rest."""
    monkeypatch.setattr("tables.owners.MOVING_SECONDS_MAX", 0.3)
    monkeypatch.setattr("tables.owners.RETRY_SECONDS", 0.01)


def found(*partitions: int, generation: int = 7) -> Said:
    """What a worker says that has compared these partitions."""
    return 200, encode_comparison(Comparison(generation, partitions, WINDOW, 3, 9, 0, ()))


class Worker:
    """Says one thing after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *says: Said) -> None:
        self.url = ""
        self.asked: list[tuple[dict[str, str], str | None]] = []
        self._says = list(says)

    async def check(self, request: web.Request) -> web.Response:
        self.asked.append((dict(request.query), request.headers.get(FORWARDED)))
        status, body = self._says.pop(0) if len(self._says) > 1 else self._says[0]
        return web.Response(status=status, body=body)


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    runners = []
    try:
        for worker in workers:
            app = web.Application()
            app.router.add_get("/ranking/check", worker.check)
            runners.append(web.AppRunner(app))
            await runners[-1].setup()
            port = free_port()
            await web.TCPSite(runners[-1], "127.0.0.1", port).start()
            worker.url = f"http://127.0.0.1:{port}"
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def owned(*urls: str | None) -> Owners:
    """Owners by partition, None where nobody has published one."""
    lists = {
        number: TopList(number, 7, WINDOW, 0, (), owner=url)
        for number, url in enumerate(urls)
        if url is not None
    }
    return Owners(len(urls), lambda: lists)


async def refusal(owners: Owners, kind: type[Exception] = OwnerAwayError) -> str:
    with pytest.raises(kind) as raised:
        await check_everywhere(owners, WINDOW)
    return str(raised.value)


async def test_each_owner_is_asked_once_for_the_same_hours() -> None:
    one, two = Worker(found(0, 2)), Worker(found(1))
    heard: list[Any] = []
    async with working(one, two):
        owners = owned(one.url, two.url, one.url)
        result = await check_everywhere(owners, WINDOW, lambda url, _: heard.append(url))
        assert sorted(heard) == owners.all()
    assert (result.partitions, result.products, result.hours) == ((0, 1, 2), 6, 18)
    asked = {"start": "1970-01-05T04:00:00+00:00", "end": "1970-01-08T04:00:00+00:00"}
    assert one.asked == two.asked == [(asked, "1")]


#   what the first worker says, one after the other                    and the second
MOVES: list[tuple[Sequence[Said], Sequence[Said]]] = [
    ([MOVING, MOVING, found(0, 2)], [found(1)]),
    ([found(0, 2)], [MOVING, found(1)]),
    ([found(0, 1, 2), found(0, 2)], [found(1)]),
    ([found(0), found(0, 2)], [found(1)]),
    ([found(0, 2, generation=6), found(0, 2)], [found(1)]),
]


@pytest.mark.parametrize(("first", "second"), MOVES)
async def test_partitions_on_the_move_are_waited_for(
    first: Sequence[Said], second: Sequence[Said]
) -> None:
    one, two = Worker(*first), Worker(*second)
    async with working(one, two):
        result = await check_everywhere(owned(one.url, two.url, one.url), WINDOW)
    assert result.partitions == (0, 1, 2)
    assert len(one.asked) == len(two.asked) > 1


async def test_partitions_that_do_not_come_to_rest_are_named() -> None:
    one = Worker(found(0))
    async with working(one):
        assert "[0]" in await refusal(owned(one.url, one.url), PartitionsMovingError)
    two = Worker(MOVING)
    async with working(two):
        assert "not ready: loaded" in await refusal(owned(two.url), PartitionsMovingError)


async def test_who_cannot_be_asked_is_named_at_once() -> None:
    assert "partition 1 yet" in await refusal(owned("http://127.0.0.1:1", None))
    assert "partition 0 yet" in await refusal(owned(""))
    nobody = f"http://127.0.0.1:{free_port()}"
    assert f"{nobody} does not answer" in await refusal(owned(nobody))
    for said, word in ((FAILED, "500: Something went wrong."), ((200, b"<html>"), "this version")):
        worker = Worker(said)
        async with working(worker):
            assert word in await refusal(owned(worker.url))
            assert len(worker.asked) == 1


async def test_what_is_no_url_is_nobody() -> None:
    for url in ("nonsense", "http://", "ftp://127.0.0.1", "http://[::1"):
        with pytest.raises(OwnerAwayError):
            await ask(url, "/ranking/check")
