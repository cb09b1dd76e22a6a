"""Check, rebuild and routed views on real Kafka and PostgreSQL, with one worker and with two."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
import pytest

from app.node import faust_settings
from app.services.ports import free_port
from domain.ranking import HOUR_MS, Tally, hour_of, live_window
from storage.engine import create_database
from streams import wire
from streams.codec import partition_of
from streams.outcomes import epoch_ms
from tables.clock import now_ms
from tables.live import LiveSales
from tables.owners import FORWARDED, Owners, check_everywhere
from tables.shapes import encode_tally
from tables.worker import RankingWorker
from tests.client import Listener, Producer, eventually
from tests.commands import fairline, started
from tests.installation import PARTITIONS, Installation, Process
from tests.integration.test_ranking import (
    NOW,
    edge_side,
    pay_by_sql,
    prepare_orders,
    ranking_process,
    selling,
    set_mark,
)

HOUR = hour_of(NOW)


class Seen(NamedTuple):
    """A worker in this process: what it holds can be spoiled. And where it answers."""

    live: LiveSales
    url: str


@asynccontextmanager
async def ranking_here(installation: Installation) -> AsyncIterator[Seen]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = installation.settings
    database = create_database(settings.sqlalchemy_url)
    faust = faust_settings(settings, "ranking", port)
    worker = RankingWorker(faust, database, installation.topics, settings.zone, owner=url)
    try:
        await worker.start()
        await answers(f"{url}/readyz", 200)
        yield Seen(worker._live, url)
    finally:
        await worker.stop()
        await database.dispose()


async def get(url: str, method: str = "GET") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.request(method, url) as response:
        return response.status, await response.json(content_type=None)


async def answers(url: str, status: int) -> Any:
    """Wait until a URL is answered with a status, and return the body."""

    async def look() -> tuple[Any] | None:
        try:
            found, body = await get(url)
        except aiohttp.ClientError:
            return None
        return (body,) if found == status else None

    return (await eventually(look, f"{status} from {url}"))[0]


async def keep_paying(producer: Producer, listener: Listener, pays: list[wire.PayOrder]) -> None:
    """Pay a few orders after the other, each once the one before is paid, and cancel some."""
    for start in range(0, len(pays), 10):
        portion = pays[start : start + 10]
        await listener.results_of(await producer.send_all(portion))
        cancels = [wire.CancelOrder(pay.user_id, pay.order_id) for pay in portion[::3]]
        await producer.send_all(cancels)


@pytest.mark.timeout(180)
async def test_under_payments_and_cancels_two_workers_differ_in_nothing(
    installation: Installation,
) -> None:
    users = range(1, 1501)
    async with (
        installation.observed() as (producer, listener),
        installation.worker(),
        ranking_process(installation) as first,
        ranking_process(installation) as second,
        edge_side(installation) as reader,
    ):
        created = await prepare_orders(producer, listener, users)
        orders = zip(users, created, strict=True)
        pays = [wire.PayOrder(user_id, sent.command_id) for user_id, sent in orders]
        await listener.results_of(await producer.send_all(pays[:500]))
        await first.ready()
        await second.ready()
        owners = Owners(PARTITIONS, reader.lists)
        paying = asyncio.create_task(keep_paying(producer, listener, pays[500:]))
        found = []
        while not paying.done():
            found.append(await check_everywhere(owners, live_window(now_ms())))
        await paying
        ran = await fairline(installation, "ranking", "check", "--json")
    assert len(found) > 2
    assert {(each.products, each.differences) for each in found} == {(12, 0)}
    shown = json.loads(ran.out)
    assert (ran.code, shown["products"], shown["differences"], shown["first"]) == (0, 12, 0, [])
    assert shown["partitions"] == list(range(PARTITIONS))
    assert 12 <= shown["hours"] <= 24
    assert ran.err.count("0 differences") == 2


#   what is done to product 1, 2, 3, 4          which says then
def spoil_value(live: LiveSales) -> None:
    live._table.by_hour.hours[HOUR]["1"] = encode_tally(Tally(11))


def spoil_by_loss(live: LiveSales) -> None:
    del live._table.by_hour.hours[HOUR]["2"]


def spoil_by_counting_twice(live: LiveSales) -> None:
    live._table.by_hour.hours[HOUR]["3"] = encode_tally(Tally(60))
    live._boards[partition_of(b"3", PARTITIONS)].add(3, 30)


def spoil_index(live: LiveSales) -> None:
    live._boards[partition_of(b"4", PARTITIONS)].add(4, -1)


SPOILS: list[Callable[[LiveSales], None]] = [
    spoil_value,
    spoil_by_loss,
    spoil_by_counting_twice,
    spoil_index,
]


async def test_what_is_wrong_is_found_and_a_rebuild_mends_it(installation: Installation) -> None:
    await pay_by_sql(installation, "paid", {1: 10, 2: 20, 3: 30, 4: 40, 5: 50})
    await pay_by_sql(installation, "earlier", {5: 7}, at=NOW - 60 * HOUR_MS)
    await set_mark(installation, 10)
    async with ranking_here(installation) as worker, selling(installation) as sales:
        for spoil in SPOILS:
            spoil(worker.live)
        found = await fairline(installation, "ranking", "check", "--json")
        shown = json.loads(found.out)
        assert (found.code, shown["differences"], shown["products"]) == (1, 5, 5)
        assert sorted(map(difference, shown["first"])) == [
            (1, HOUR, 11, 10),
            (2, HOUR, 0, 20),
            (3, 0, 60, 30),
            (3, HOUR, 60, 30),
            (4, 0, 39, 40),
        ]
        for _ in range(2):
            rebuilt = await fairline(installation, "ranking", "rebuild")
            assert rebuilt.code == 0, rebuilt
            assert f"{PARTITIONS} of {PARTITIONS} partitions are rebuilt" in rebuilt.err
            assert "5 products, 6 product hours, 0 differences" in rebuilt.out
        # It still counts, each sale once, and what was in the sums not again.
        for offset in (9, 10, 10):
            await sales.sell(5, 3, offset)
        await eventually(lambda: worker.live.sums()[5] == 60, "a sale after the rebuild")


def difference(shown: Any) -> tuple[int, int, int, int]:
    hour = epoch_ms(datetime.fromisoformat(shown["hour"])) if shown["hour"] else 0
    return shown["productId"], hour, shown["table"], shown["sql"]


async def test_views_are_read_only_and_say_what_is_wrong(installation: Installation) -> None:
    await pay_by_sql(installation, "paid", {1: 10, 2: 20})
    async with ranking_here(installation) as worker:
        url = worker.url
        status, table = await get(f"{url}/ranking/table")
        assert (status, table["partitions"]) == (200, list(range(PARTITIONS)))
        assert (table["products"], table["values"]) == (2, 2)
        assert table["loadedAt"] is not None
        top = await eventually(lambda: ranked(url), "the merged list")
        assert [(each["rank"], each["productId"], each["quantity"]) for each in top] == [
            (1, 2, 20),
            (2, 1, 10),
        ]
        checks = [get(f"{url}/ranking/check") for _ in range(3)]
        assert [(s, b["differences"], b["hours"]) for s, b in await asyncio.gather(*checks)] == [
            (200, 0, 2)
        ] * 3
        bad = ("start=x&end=y", "start=2026-11-20T00:00:00", "end=2026-11-20T00:00:00Z", "x=1")
        whole = "start=2026-11-20T00:30:00Z&end=2026-11-21T00:00:00Z"
        back = "start=2026-11-21T00:00:00Z&end=2026-11-20T00:00:00Z"
        for query in (*bad, whole, back):
            await refused(f"{url}/ranking/check?{query}", 400, "INVALID_REQUEST")
        for product_id in ("x", "0", "-1", str(2**63), "9" * 30):
            await refused(f"{url}/ranking/products/{product_id}", 400, "INVALID_REQUEST")
        for path in ("top", "table", "check", "products/1"):
            await refused(f"{url}/ranking/{path}", 405, "METHOD_NOT_ALLOWED", method="POST")
        await refused(f"{url}/ranking", 404, "NOT_FOUND")


async def ranked(url: str) -> Any:
    return (await get(f"{url}/ranking/top"))[1]["products"] or None


async def refused(url: str, status: int, code: str, method: str = "GET") -> None:
    found, body = await get(url, method)
    assert (found, body["status"], body["code"]) == (status, status, code), url


async def test_where_nobody_works_a_check_says_so_in_a_line(installation: Installation) -> None:
    checked = await fairline(installation, "ranking", "check")
    assert checked.code == 2
    assert "No ranking worker has published partition 0 yet." in checked.err.splitlines()[-1]
    rebuilt = await fairline(installation, "ranking", "rebuild", "--wait-seconds", "1")
    assert rebuilt.code == 2
    assert "partitions 0, 1, 2, 3" in rebuilt.err.splitlines()[-1]
    async with ranking_here(installation):
        assert (await fairline(installation, "ranking", "rebuild")).code == 0
    checked = await fairline(installation, "ranking", "check")
    assert checked.code == 2
    assert "does not answer" in checked.err.splitlines()[-1]


async def test_a_wait_that_is_interrupted_ends_without_a_word_of_python(
    installation: Installation,
) -> None:
    process = await started(installation, "ranking", "rebuild")
    assert process.stderr is not None
    assert b"0 of 4 partitions" in await process.stderr.readuntil(b"rebuilt\n")
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (130, b"interrupted\n")


async def quantities(worker: Process, products: range) -> dict[int, int]:
    """Ask a worker for each product."""
    found = [await get(f"{worker.url}/ranking/products/{each}") for each in products]
    assert {status for status, _ in found} == {200}
    return {body["productId"]: body["quantity"] for _, body in found}


async def answers_itself(worker: Process, product_id: int) -> bool:
    """Ask a worker as another one would, which it never passes on."""
    url = f"{worker.url}/ranking/products/{product_id}"
    async with aiohttp.ClientSession(headers={FORWARDED: "1"}) as client, client.get(url) as found:
        assert found.status in {200, 503}
        return found.status == 200


@pytest.mark.timeout(180)
async def test_each_worker_answers_for_every_product_also_after_a_kill(
    installation: Installation,
) -> None:
    products = range(1, 21)
    await pay_by_sql(installation, "paid", {each: each * 10 for each in products})
    expected = {each: each * 10 for each in products}
    async with (
        ranking_process(installation) as first,
        ranking_process(installation) as second,
    ):
        await first.ready()
        await second.ready()
        await eventually(lambda: all_known([first, second], products), "all products")
        for worker in (first, second):
            assert await quantities(worker, products) == expected
        owned = [
            len((await get(f"{worker.url}/ranking/table"))[1]["partitions"])
            for worker in (first, second)
        ]
        assert owned == [PARTITIONS // 2, PARTITIONS // 2]
        own = [each for each in products if await answers_itself(first, each)]
        assert 0 < len(own) < len(products)
        second.child.process.kill()
        refusals = [await get(f"{first.url}/ranking/products/{each}") for each in products]
        away = [body for status, body in refusals if status == 503]
        assert {body["code"] for body in away} == {"OWNER_AWAY"}
        assert all(body["detail"] for body in away)
        await eventually(lambda: all_known([first], products), "all products again")
        assert await quantities(first, products) == expected
        checked = await fairline(installation, "ranking", "check")
        assert (checked.code, checked.out.count("20 products")) == (0, 1), checked


def all_known(workers: list[Process], products: range) -> Coroutine[Any, Any, bool]:
    async def look() -> bool:
        urls = [f"{worker.url}/ranking/products/{each}" for worker in workers for each in products]
        return {(await get(url))[0] for url in urls} == {200}

    return look()
