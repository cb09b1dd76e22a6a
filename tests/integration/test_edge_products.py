"""What an edge tells of products: their rank, the same in every view, and stored rankings."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import sqlalchemy as sa

from domain.ranking import live_window
from storage.schema import daily_ranking, products, ranking_runs
from streams.outcomes import moment
from tests.edges import Customer, MovingTop, add_products, edge_of, execute
from tests.installation import Installation
from tests.proxy import proxied
from tests.watching import STREAM, watching
from tests.worlds import NOW_MS

PRODUCTS = "/api/v1/products"
WINDOW = live_window(NOW_MS)
BAD_IDS = [
    *("0", "-1", "+1", "1.0", "1e3", "x", "9223372036854775808", "1" * 5_000, "%00", "1%00"),
    *("%D9%A1", "%F0%9F%92%A9", "%FF", "%20", "1%20", "top%20"),
]


@pytest.fixture
def top() -> MovingTop:
    return MovingTop()


@pytest_asyncio.fixture
async def customer(installation: Installation, top: MovingTop) -> AsyncIterator[Customer]:
    await add_products(installation, {n: f"product {n}" for n in range(1, 121)})
    async with edge_of(installation, top_lists=top) as customer:
        yield customer


async def product(customer: Customer, product_id: int) -> dict[str, object]:
    reply = await customer.get(f"{PRODUCTS}/{product_id}")
    assert reply.status == 200
    body: dict[str, object] = reply.body
    return body


async def test_a_product_tells_its_rank_or_none(customer: Customer) -> None:
    shown = {"productId": 1, "name": "product 1", "price": 10, "stock": 1}
    assert await product(customer, 1) == {**shown, "rank": 2, "quantitySold": 4}
    third = {**shown, "productId": 3, "name": "product 3"}
    assert await product(customer, 3) == {**third, "rank": None, "quantitySold": None}


#   sold     1  2 ... 9  [777: not in the catalog]  11 ... 101
#   rank     1  2 ... 9            -               11 ... 100, none
async def test_a_rank_is_the_same_in_every_view(customer: Customer, top: MovingTop) -> None:
    entries = [(n, 500 - n) for n in range(1, 102)]
    entries[9] = (777, 490)
    top.show(*entries)
    ranked = (await customer.get(f"{PRODUCTS}/top?limit=100")).body["products"]
    assert [each["rank"] for each in ranked] == [*range(1, 10), *range(11, 101)]
    for each in ranked:
        one = await product(customer, each["productId"])
        assert (one["rank"], one["quantitySold"]) == (each["rank"], each["quantity"])
    assert (await product(customer, 101))["rank"] is None
    assert (await customer.get(f"{PRODUCTS}/777")).code == "PRODUCT_NOT_FOUND"
    for limit in (1, 9, 10, 11):
        listed = (await customer.get(f"{PRODUCTS}/top?limit={limit}")).body["products"]
        assert listed == [each for each in ranked if each["rank"] <= limit]


async def test_a_stock_is_never_older_than_the_request(
    installation: Installation, customer: Customer
) -> None:
    for stock in (5, 4, 3):
        taken = sa.update(products).where(products.c.product_id == 1).values(stock=stock)
        await execute(installation, taken)
        assert (await product(customer, 1))["stock"] == stock


async def test_a_product_that_there_is_not_and_ids_that_are_none(customer: Customer) -> None:
    for unknown in ("999", str(2**63 - 1)):
        reply = await customer.get(f"{PRODUCTS}/{unknown}")
        assert (reply.status, reply.code) == (404, "PRODUCT_NOT_FOUND")
    for bad in BAD_IDS:
        reply = await customer.get(f"{PRODUCTS}/{bad}")
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), bad
        assert [each["field"] for each in reply.body["errors"]] == ["productId"]
    assert (await customer.get(f"{PRODUCTS}/1?x=1")).status == 400
    assert (await customer.get(f"{PRODUCTS}/")).code == "NOT_FOUND"


@pytest.mark.parametrize("path", [f"{PRODUCTS}/1", f"{PRODUCTS}/top", STREAM])
async def test_products_are_only_read(customer: Customer, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        async with customer.http.request(method, path) as response:
            assert response.status == 405
            assert (await response.json(content_type=None))["code"] == "METHOD_NOT_ALLOWED"
            assert "GET" in response.headers["Allow"]


async def test_a_stream_has_no_head(customer: Customer) -> None:
    async with customer.http.head(STREAM) as response:
        assert response.status == 405


@pytest.mark.parametrize("path", [f"{PRODUCTS}/top", STREAM])
async def test_a_limit_is_from_1_to_100(customer: Customer, path: str) -> None:
    for bad in ("0", "101", "-1", "1.0", "+1", "x", "", "%00", "1" * 50, "%D9%A1", "1&limit=2"):
        reply = await customer.get(f"{path}?limit={bad}")
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), bad
        assert [each["field"] for each in reply.body["errors"]] == ["limit"]
    assert (await customer.get(f"{path}?x=1")).body["errors"][0]["field"] == "x"


async def test_both_ends_of_a_limit_and_its_default(customer: Customer, top: MovingTop) -> None:
    top.show(*[(n, 500 - n) for n in range(1, 121)])
    for query, places in (("", 5), ("?limit=1", 1), ("?limit=100", 100), ("?source=live", 5)):
        listed = (await customer.get(f"{PRODUCTS}/top{query}")).body["products"]
        assert [each["rank"] for each in listed] == list(range(1, places + 1))


async def store(installation: Installation, day: str, *quantities: int) -> None:
    """A stored ranking, as the daily batch leaves one."""
    run = {
        "date": day,
        "window_start_ms": WINDOW.start_ms,
        "window_end_ms": WINDOW.end_ms,
        "completed_at_ms": NOW_MS,
    }
    await execute(installation, ranking_runs.insert(), [run])
    places = [
        {
            "date": day,
            "rank": rank,
            "product_id": rank,
            "name": f"then {rank}",
            "price": 7,
            "quantity": quantity,
        }
        for rank, quantity in enumerate(quantities, 1)
    ]
    if places:
        await execute(installation, daily_ranking.insert(), places)


async def test_a_stored_ranking_is_told_as_it_was_stored(
    installation: Installation, customer: Customer
) -> None:
    daily = f"{PRODUCTS}/top?source=daily"
    reply = await customer.get(daily)
    assert (reply.status, reply.code) == (404, "RANKING_NOT_FOUND")
    await store(installation, "2026-11-22", 9, 8)
    await store(installation, "2026-11-21", 5, 4, 3, 2, 1)
    await store(installation, "2026-11-20")
    newest = await customer.get(daily)
    first = {"rank": 1, "productId": 1, "name": "then 1", "price": 7, "quantity": 9}
    assert newest.body["products"][0] == first
    assert newest.body["source"] == "daily"
    assert newest.body["date"] == "2026-11-22"
    assert newest.body["asOf"] == moment(NOW_MS).isoformat().replace("+00:00", "Z")
    assert set(newest.body["window"]) == {"from", "to"}
    of_a_day = await customer.get(f"{daily}&date=2026-11-21")
    assert [each["quantity"] for each in of_a_day.body["products"]] == [5, 4, 3, 2, 1]
    limited = await customer.get(f"{daily}&date=2026-11-21&limit=2")
    assert [each["quantity"] for each in limited.body["products"]] == [5, 4]
    assert (await customer.get(f"{daily}&date=2026-11-20&limit=100")).body["products"] == []
    for other in ("2026-11-23", "0001-01-01", "9999-12-31"):
        assert (await customer.get(f"{daily}&date={other}")).code == "RANKING_NOT_FOUND"


async def test_a_stored_ranking_is_told_while_the_live_one_is_not_known(
    installation: Installation, customer: Customer, top: MovingTop
) -> None:
    top.ready = False
    await store(installation, "2026-11-22", 9)
    assert (await customer.get(f"{PRODUCTS}/top")).status == 503
    assert (await customer.get(f"{PRODUCTS}/top?source=daily")).status == 200


async def test_without_a_cache_products_and_ranks_are_the_same(
    installation: Installation, redis_url: str
) -> None:
    await add_products(installation, {1: "Tea", 2: "Cup"})
    port = urlsplit(redis_url).port
    assert port is not None
    async with (
        proxied(port) as proxy,
        edge_of(
            installation,
            redis_url=f"redis://127.0.0.1:{proxy.port}",
            cache_prefix=installation.settings.topic_prefix,
        ) as customer,
    ):
        told = await look_around(customer)
        await proxy.shut()
        assert await look_around(customer) == told
        assert "in-process" in (await customer.get("/readyz")).body["cache"]
        await proxy.open()
        assert await look_around(customer) == told


async def look_around(customer: Customer) -> list[object]:
    """Everything that an edge tells of products."""
    paths = (PRODUCTS, f"{PRODUCTS}/1", f"{PRODUCTS}/top", f"{PRODUCTS}/top?limit=100")
    told: list[object] = [(await customer.get(path)).body for path in paths]
    async with watching(customer) as watcher:
        return [*told, await watcher.event()]


BAD_QUERIES = [
    ("source=nightly", "source"),
    ("source=", "source"),
    ("source=Daily", "source"),
    ("source=daily&source=live", "source"),
    ("date=2026-11-22", "date"),
    ("source=live&date=2026-11-22", "date"),
    ("source=daily&date=", "date"),
    ("source=daily&date=20261122", "date"),
    ("source=daily&date=2026-W47-1", "date"),
    ("source=daily&date=2026-11-31", "date"),
    ("source=daily&date=0000-01-01", "date"),
    ("source=daily&date=2026-11-22T00:00", "date"),
    ("source=daily&date=%202026-11-22", "date"),
    ("source=daily&date=2026-11-2%D9%A1", "date"),
    ("source=daily&date=%00", "date"),
    ("source=daily&date=2026-11-22&date=2026-11-22", "date"),
    ("source=daily&limit=0", "limit"),
    ("source=daily&days=1", "days"),
]


async def test_what_cannot_be_asked_of_rankings(customer: Customer) -> None:
    for query, field in BAD_QUERIES:
        reply = await customer.get(f"{PRODUCTS}/top?{query}")
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), query
        assert [each["field"] for each in reply.body["errors"]] == [field]
