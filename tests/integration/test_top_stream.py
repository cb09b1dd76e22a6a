"""The stream of the live ranking at a real edge: who is told what, and when it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiohttp import ClientSession, TCPConnector
from aiohttp.test_utils import TestClient
from aiohttp.web import RequestHandler

from domain.ranking import HOUR_MS, live_window
from storage.schema import products
from tests.client import SECONDS_MAX, eventually
from tests.edges import Customer, MovingTop, add_products, edge_of, execute
from tests.installation import Installation
from tests.proxy import proxied
from tests.watching import STREAM, watching
from tests.worlds import NOW_MS
from web import event_stream, top_board
from web.edge import EDGE
from web.top_board import TopBoard

MANY = 200
NAME_MAX = 200


@pytest_asyncio.fixture
async def shop(installation: Installation) -> Installation:
    """An installation with a catalog of a hundred products."""
    await add_products(installation, {n: f"product {n}".ljust(NAME_MAX) for n in range(1, 101)})
    return installation


@pytest.fixture
def top() -> MovingTop:
    return MovingTop()


@pytest_asyncio.fixture
async def customer(shop: Installation, top: MovingTop) -> AsyncIterator[Customer]:
    async with edge_of(shop, top_lists=top) as customer:
        yield customer


def board_of(customer: Customer) -> TopBoard:
    assert isinstance(customer.http, TestClient)
    app = customer.http.app
    assert app is not None
    board: TopBoard = app[EDGE].board
    return board


async def all_left(customer: Customer) -> None:
    await eventually(lambda: board_of(customer).viewers == 0, "an edge without viewers")


async def test_a_viewer_is_told_at_once_and_at_each_change(
    customer: Customer, top: MovingTop
) -> None:
    async with watching(customer) as watcher:
        headers = watcher.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert await watcher.block() == b"retry: 1000\n\n"
        first = await watcher.event()
        assert first.sold == [(2, 9), (1, 4)]
        assert first.top == (await customer.get("/api/v1/products/top")).body
        top.show((1, 10), (2, 9))
        second = await watcher.event()
        assert second.sold == [(1, 10), (2, 9)]
        assert second.id != first.id


async def test_a_limit_is_a_stream_of_its_own(customer: Customer, top: MovingTop) -> None:
    top.show(*[(n, 200 - n) for n in range(1, 101)])
    async with watching(customer, 1) as one, watching(customer, 100) as all_of_them:
        assert (await one.event()).sold == [(1, 199)]
        assert len((await all_of_them.event()).sold) == 100
        top.show(*[(n, 200 - n) for n in range(1, 100)])
        await all_of_them.event()
        top.show((1, 500))
        # What changed below its places was no news for the first one.
        assert (await one.event()).sold == [(1, 500)]


async def test_a_later_look_is_no_news_but_a_new_hour_is(
    customer: Customer, top: MovingTop
) -> None:
    async with watching(customer) as watcher:
        first = await watcher.event()
        top.show((2, 9), (1, 4), as_of_ms=NOW_MS + 1)
        asked = top.asked
        await eventually(lambda: top.asked > asked, "a look at the change")
        top.show((2, 9), (1, 4), window=live_window(NOW_MS + HOUR_MS))
        second = await watcher.event()
        assert second.sold == first.sold
        assert second.top["window"]["to"] > first.top["window"]["to"]


async def test_a_new_name_is_news(shop: Installation, customer: Customer) -> None:
    async with watching(customer, 1) as watcher:
        assert (await watcher.event()).top["products"][0]["name"].rstrip() == "product 2"
        renamed = sa.update(products).where(products.c.product_id == 2).values(name="Tea")
        await execute(shop, renamed)
        assert (await watcher.event()).top["products"][0]["name"] == "Tea"


async def test_without_a_database_a_stream_stays_and_goes_on_when_it_is_back(
    shop: Installation, top: MovingTop, caplog: pytest.LogCaptureFixture
) -> None:
    url = urlsplit(shop.settings.database_url)
    assert url.port is not None
    async with proxied(url.port) as proxy:
        address = f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}"
        near = shop.with_settings(database_url=url._replace(netloc=address).geturl())
        async with edge_of(near, top_lists=top) as customer, watching(customer) as watcher:
            first = await watcher.event()
            await proxy.shut()
            top.show((1, 10))
            await eventually(lambda: "the board" in caplog.text, "a look in vain")
            async with watching(customer) as other:
                assert (await other.event()).id == first.id
            await proxy.open()
            assert (await watcher.event()).sold == [(1, 10)]


async def test_who_has_the_present_state_waits_for_the_next_one_at_any_edge(
    shop: Installation, customer: Customer, top: MovingTop
) -> None:
    async with watching(customer) as watcher:
        first = await watcher.event()
    async with edge_of(shop, top_lists=top) as elsewhere:
        async with watching(elsewhere, seen=first.id) as watcher, watching(elsewhere) as other:
            assert (await other.event()).id == first.id
            top.show((7, 7))
            assert (await watcher.event()).sold == [(7, 7)]
        async with watching(elsewhere, seen=first.id) as watcher:
            assert (await watcher.event()).sold == [(7, 7)]
        for strange in ("x", "\u00e9", "0" * 4000):
            async with watching(elsewhere, seen=strange) as watcher:
                assert (await watcher.event()).sold == [(7, 7)]


async def test_an_edge_that_knows_nothing_yet_is_silent_until_it_does(
    customer: Customer, top: MovingTop
) -> None:
    top.ready = False
    reply = await customer.get("/api/v1/products/top")
    assert (reply.status, reply.code) == (503, "UNAVAILABLE")
    assert not (await customer.checks())["topLists"]
    async with watching(customer) as watcher:
        assert await watcher.block() == b"retry: 1000\n\n"
        top.show((1, 1))
        asked = top.asked
        top.ready = True
        top.show((2, 2))
        assert (await watcher.event()).sold == [(2, 2)]
        assert top.asked > asked


@asynccontextmanager
async def crowd_of(customer: Customer) -> AsyncIterator[Customer]:
    """The same customer with as many connections as it wants."""
    assert isinstance(customer.http, TestClient)
    async with ClientSession(
        customer.http.make_url("/"), connector=TCPConnector(limit=0)
    ) as session:
        yield Customer(session)


async def test_a_change_is_made_into_an_event_once_for_all_viewers(
    customer: Customer, top: MovingTop
) -> None:
    async with AsyncExitStack() as stack, crowd_of(customer) as crowd:
        watchers = [await stack.enter_async_context(watching(crowd)) for _ in range(MANY)]
        firsts = {(await watcher.event()).id for watcher in watchers}
        assert len(firsts) == 1
        assert board_of(customer).viewers == MANY
        asked = top.asked
        top.show((3, 30))
        seen = await asyncio.gather(*[watcher.event() for watcher in watchers])
        assert {each.id for each in seen}.isdisjoint(firsts)
        assert [each.sold for each in seen] == [[(3, 30)]] * MANY
        # It looks once a second besides, whoever watches.
        assert top.asked - asked < MANY / 10
    await all_left(customer)


async def test_there_is_room_for_so_many_viewers(shop: Installation) -> None:
    async with edge_of(shop, stream_clients_max=2) as customer:
        async with watching(customer), watching(customer):
            reply = await customer.get(STREAM)
            assert (reply.status, reply.code) == (503, "UNAVAILABLE")
            assert reply.headers["Retry-After"] == "1"
        await all_left(customer)
        async with watching(customer) as watcher:
            assert (await watcher.event()).sold == [(2, 9), (1, 4)]


async def test_who_comes_after_everybody_left_sees_what_is_true_now(
    customer: Customer, top: MovingTop
) -> None:
    async with watching(customer) as watcher:
        await watcher.event()
    await all_left(customer)
    top.show((5, 5))
    async with watching(customer) as watcher:
        assert (await watcher.event()).sold == [(5, 5)]


async def test_a_viewer_that_leaves_is_noticed_though_nothing_changes(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 10 * SECONDS_MAX)
    async with edge_of(shop) as customer, watching(customer) as stays:
        async with watching(customer) as leaves:
            await leaves.event()
        await stays.event()
        await eventually(lambda: board_of(customer).viewers == 1, "the one that stays")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone can do this")
async def test_a_viewer_that_is_gone_without_a_word_is_given_up(customer: Customer) -> None:
    async with watching(customer) as watcher:
        await watcher.event()
        (viewer,) = board_of(customer)._viewers
        assert viewer.transport is not None
        connection = viewer.transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


async def test_a_silent_stream_has_a_heartbeat(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    async with watching(customer) as watcher:
        await watcher.event()
        assert (await watcher.block()).startswith(b":")


def connect(customer: Customer) -> socket.socket:
    """A viewer of all places that takes little and reads nothing."""
    assert isinstance(customer.http, TestClient)
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.connect(("127.0.0.1", customer.http.port))
    viewer.sendall(f"GET {STREAM}?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return viewer


def read_until(viewer: socket.socket, end: bytes) -> bytes:
    """Read what a viewer has waiting, up to here."""
    viewer.settimeout(SECONDS_MAX)
    text = b""
    while end not in text:
        text += viewer.recv(1 << 16)
    return text


async def show(customer: Customer, top: MovingTop, *entries: tuple[int, int]) -> None:
    """Change the ranking, and wait until the board shows it."""
    changed = board_of(customer).next_change()
    top.show(*entries)
    async with asyncio.timeout(SECONDS_MAX):
        await changed.wait()


async def fill(customer: Customer, top: MovingTop) -> RequestHandler:
    """Change the ranking until the edge cannot get rid of what it has written to its viewer."""
    await eventually(lambda: board_of(customer).viewers == 1, "a viewer")
    (viewer,) = board_of(customer)._viewers
    assert viewer.transport is not None
    while not viewer.transport.get_write_buffer_size():
        await show(customer, top, *[(n, top.asked * 1000 + 200 - n) for n in range(1, 101)])
    return viewer


async def test_a_slow_viewer_skips_to_the_newest_state(
    customer: Customer, top: MovingTop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(top_board, "PAUSE_SECONDS", 0)
    with connect(customer) as slow:
        viewer = await fill(customer, top)
        assert viewer.transport is not None
        waiting = viewer.transport.get_write_buffer_size()
        quantities = range(7_000_000, 7_000_000 + MANY)
        for quantity in quantities:
            await show(customer, top, (1, quantity))
        assert viewer.transport.get_write_buffer_size() == waiting
        text = await asyncio.to_thread(read_until, slow, b'"quantity":%d}' % quantities[-1])
        assert [n for n in quantities if b'"quantity":%d}' % n in text] == [quantities[-1]]


async def test_a_viewer_that_takes_nothing_is_cut_off(
    customer: Customer, top: MovingTop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(top_board, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(event_stream, "STALL_SECONDS", 0.05)
    with connect(customer):
        await fill(customer, top)
        await all_left(customer)


@pytest.mark.parametrize("has_stuck", [False, True])
async def test_streams_end_at_once_when_the_edge_stops(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, *, has_stuck: bool
) -> None:
    for seconds in ("HEARTBEAT_SECONDS", "STALL_SECONDS"):
        monkeypatch.setattr(event_stream, seconds, 10 * SECONDS_MAX)
    monkeypatch.setattr(top_board, "PAUSE_SECONDS", 0)
    top = MovingTop()
    async with AsyncExitStack() as stack:
        async with edge_of(shop, top_lists=top) as customer:
            if has_stuck:
                stack.enter_context(connect(customer))
                await fill(customer, top)
            crowd = await stack.enter_async_context(crowd_of(customer))
            watcher = await stack.enter_async_context(watching(crowd))
            await watcher.event()
        while await watcher.block():
            pass
        assert board_of(customer).viewers == 0


async def test_an_edge_that_stops_has_no_new_viewers(customer: Customer) -> None:
    board_of(customer).close()
    reply = await customer.get(STREAM)
    assert (reply.status, reply.code) == (503, "UNAVAILABLE")
