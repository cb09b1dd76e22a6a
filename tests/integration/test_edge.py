"""The edge with a worker behind it, on real Kafka and PostgreSQL: all that HTTP can ask."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from streams import wire
from tests.client import Listener, Producer
from tests.edges import Customer, edge_of, until
from tests.installation import Installation, install
from tests.scenario import define_shop, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Shop:
    """A shop that is open: its customer at an edge, and its people at the log."""

    installation: Installation
    customer: Customer
    producer: Producer
    listener: Listener

    async def define(self, payload: wire.Shape) -> None:
        await say(self.producer, self.listener, payload)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    kafka_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    installation = await install(kafka_url, database_url, folder)
    async with (
        installation.worker(),
        installation.observed() as (producer, listener),
        edge_of(installation) as customer,
    ):
        await define_shop(producer, listener)
        yield Shop(installation, customer, producer, listener)


@pytest.fixture(scope="module")
def new_user() -> Callable[[], int]:
    """Call it for a user that no other test knows."""
    return iter(range(1_000, 2_000)).__next__


async def test_the_eight_rows_of_one_user(shop: Shop, new_user: Callable[[], int]) -> None:
    ann, customer = new_user(), shop.customer
    assert await customer.balance(ann) is None
    charged = await customer.charge(ann, 50_000)
    assert charged.body == {"userId": ann, "chargedAmount": 50_000, "balance": 50_000}
    issued = await customer.issue(ann, "HELLO")
    assert issued.status == 200
    items = [{"productId": 1, "quantity": 1}, {"productId": 2, "quantity": 1}]
    wish = {"userId": ann, "items": items, "couponId": issued.body["couponId"]}
    order = await customer.post("/orders", wish)
    assert (order.body["payableAmount"], order.body["status"]) == (9_500, "PENDING")
    owned = f"/api/v1/orders/{order.body['orderId']}?userId="
    assert (await customer.get(f"{owned}{ann}")).body == order.body
    paid = await customer.post("/orders/pay", {"userId": ann, "orderId": order.body["orderId"]})
    assert (paid.body["status"], paid.body["balance"]) == ("PAID", 40_500)
    assert await customer.balance(ann) == 40_500
    assert (await customer.get(f"{owned}{ann}")).body["status"] == "PAID"
    assert (await customer.get(f"{owned}{ann + 1}")).code == "ORDER_NOT_FOUND"
    (copy,) = (await customer.get(f"/api/v1/coupons?userId={ann}")).body["coupons"]
    assert (copy["state"], copy["number"], copy["orderId"]) == (
        "USED",
        issued.body["number"],
        order.body["orderId"],
    )


async def test_a_payment_is_seen_in_the_catalog_at_once(
    shop: Shop, new_user: Callable[[], int]
) -> None:
    ann, customer = new_user(), shop.customer
    await shop.define(wire.DefineProduct(30, "Free air", 0, 1_000))

    async def stock() -> int:
        listed = (await customer.get("/api/v1/products")).body["products"]
        return int(next(each["stock"] for each in listed if each["productId"] == 30))

    for left in (1_000, 999, 998):
        assert await stock() == left
        wish = {"userId": ann, "items": [{"productId": 30, "quantity": 1}]}
        order = (await customer.post("/orders", wish)).body
        order_id = order["orderId"]
        assert (
            await customer.post("/orders/pay", {"userId": ann, "orderId": order_id})
        ).status == 200


async def test_best_sellers_come_with_product_data(shop: Shop) -> None:
    await shop.define(wire.DefineProduct(2, "Cake", 6_000))
    reply = await shop.customer.get("/api/v1/products/top")
    best, second = reply.body["products"]
    assert best == {"rank": 1, "productId": 2, "name": "Cake", "price": 6_000, "quantity": 9}
    assert (second["rank"], second["productId"], second["quantity"]) == (2, 1, 4)
    assert set(reply.body) == {"products", "asOf", "window"}
    assert set(reply.body["window"]) == {"from", "to"}
    assert len((await shop.customer.get("/api/v1/products/top?limit=1")).body["products"]) == 1
    for limit in ("0", "101", "-1", "x", "", "1&limit=2"):
        assert (await shop.customer.get(f"/api/v1/products/top?limit={limit}")).status == 400


async def test_a_key_makes_a_retry_the_same_request(
    shop: Shop, new_user: Callable[[], int]
) -> None:
    ann, bob = new_user(), new_user()
    first = await shop.customer.charge(ann, 100, key="k")
    again = await shop.customer.charge(ann, 100, key='"k"')
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Command-Id"] == first.headers["Command-Id"]
    assert (await shop.customer.charge(ann, 101, key="k")).code == "IDEMPOTENCY_KEY_REUSED"
    assert (await shop.customer.charge(bob, 101, key="k")).status == 200
    assert await shop.customer.balance(ann) == 100


async def test_one_key_used_twice_at_once_has_one_effect(
    shop: Shop, new_user: Callable[[], int]
) -> None:
    ann = new_user()
    replies = await asyncio.gather(*[shop.customer.charge(ann, 7, key="k") for _ in range(20)])
    assert {reply.status for reply in replies} == {200}
    assert {reply.body["balance"] for reply in replies} == {7}
    mixed = await asyncio.gather(*[shop.customer.charge(ann, n, key="m") for n in (1, 2, 1, 2)])
    assert sorted(reply.status for reply in mixed) == [200, 200, 422, 422]


async def test_a_command_is_found_by_its_id(shop: Shop, new_user: Callable[[], int]) -> None:
    charged = await shop.customer.charge(new_user(), 100)
    command_id = charged.headers["Command-Id"]
    assert (await shop.customer.command(command_id)).body == {
        "commandId": command_id,
        "state": "DONE",
        "status": 200,
        "body": charged.body,
    }
    for unknown in ("00000000-0000-4000-8000-000000000000", "x", "%00", f"urn:uuid:{command_id}"):
        assert (await shop.customer.command(unknown)).code == "COMMAND_NOT_FOUND"


async def test_a_sold_out_coupon_is_refused_without_the_log(
    shop: Shop, new_user: Callable[[], int]
) -> None:
    customer, (ann, bob, eve) = shop.customer, (new_user(), new_user(), new_user())
    await shop.define(wire.DefineCoupon("ONE", 1, 100))
    issued = await customer.issue(ann, "ONE", key="k")
    assert issued.status == 200
    by_the_log = await customer.issue(bob, "ONE", key="k")
    at_once = await customer.issue(eve, "ONE", key="k")
    assert by_the_log.code == at_once.code == "COUPON_SOLD_OUT"
    assert at_once.body == by_the_log.body
    assert ("Command-Id" in by_the_log.headers, "Command-Id" in at_once.headers) == (True, False)
    # Who holds a copy, or asks again, is answered by the log all the same.
    assert (await customer.issue(ann, "ONE")).code == "COUPON_ALREADY_ISSUED"
    for user_id, first in ((ann, issued), (bob, by_the_log)):
        again = await customer.issue(user_id, "ONE", key="k")
        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
    await shop.define(wire.DefineCoupon("ONE", 2, 100))
    assert (await customer.issue(eve, "ONE")).body["number"] == 2


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("/balance/charge", {"userId": 1, "amount": 1}),
    ("/coupons/issue", {"userId": 1, "couponCode": "HELLO"}),
    ("/orders", {"userId": 1, "items": [{"productId": 1, "quantity": 1}], "couponId": "c"}),
    ("/orders/pay", {"userId": 1, "orderId": "o"}),
    ("/orders/cancel", {"userId": 1, "orderId": "o"}),
]
NEVER_GOOD: list[Any] = [True, 1.5, 0, -1, 2**63, "\u0000", "\u202e\U0001f4a9", [], [[]], {}]


@pytest.mark.parametrize(("path", "good"), WRITES)
async def test_bad_input_is_a_4xx_whatever_it_is(
    shop: Shop, path: str, good: dict[str, Any]
) -> None:
    bodies: list[Any] = [{**good, field: bad} for field in good for bad in NEVER_GOOD]
    bodies += [{n: v for n, v in good.items() if n != field} for field in good if field[0] != "c"]
    for body in [*bodies, [], 1, "x"]:
        reply = await shop.customer.post(path, body)
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), body
        assert reply.body["errors"], body
    for raw in (b"", b"{", b"\xff", b'"\\ud800"', b"[" * 60_000):
        assert (await shop.customer.post_raw(path, raw)).status == 400
    assert (await shop.customer.post_raw(path, b" " * 70_000)).status == 413


@pytest.mark.parametrize("user_id", ["", "0", "-1", "x", str(2**63), "%00", "%ED%A0%80", "1.0"])
async def test_a_bad_user_id_is_a_400_on_every_read(shop: Shop, user_id: str) -> None:
    for path in ("/balance", "/coupons", "/orders/o"):
        reply = await shop.customer.get(f"/api/v1{path}?userId={user_id}")
        assert (reply.status, reply.body["errors"][0]["field"]) == (400, "userId")
        assert (await shop.customer.get(f"/api/v1{path}")).status == 400


async def test_a_strange_order_id_is_a_404(shop: Shop) -> None:
    for order_id in ("%00", "x" * 5_000, "%F0%9F%92%A9", "..%2F..%2Fetc"):
        reply = await shop.customer.get(f"/api/v1/orders/{order_id}?userId=1")
        assert (reply.status, reply.code) == (404, "ORDER_NOT_FOUND")


async def test_a_client_that_leaves_loses_nothing(shop: Shop, new_user: Callable[[], int]) -> None:
    ann = new_user()
    leaving = [asyncio.create_task(shop.customer.charge(ann, 1)) for _ in range(10)]
    await asyncio.sleep(0)
    await shop.customer.charge(ann, 1)
    for task in leaving:
        task.cancel()
    await asyncio.wait(leaving)

    async def is_charged() -> bool:
        return await shop.customer.balance(ann) == 11

    await until(is_charged, "eleven charges")


async def test_a_record_that_is_no_result_disturbs_nobody(
    shop: Shop, new_user: Callable[[], int]
) -> None:
    results = shop.installation.topics.command_results.name
    for value in (b"{", b"null", b'{"requestToken":"x"}'):
        await shop.producer.kafka.send_and_wait(results, value, key=b"k", partition=0)
    assert (await shop.customer.charge(new_user(), 1)).status == 200


async def test_the_edge_tells_its_health_and_its_routes(shop: Shop) -> None:
    ready = await shop.customer.get("/readyz")
    assert (ready.status, ready.body["status"]) == (200, "ready")
    assert ready.body["broker"] == shop.installation.settings.kafka_url
    assert ":***@" in ready.body["database"]
    assert (await shop.customer.get("/livez")).status == 200
    assert "POST /api/v1/orders/pay" in (await shop.customer.get("/api/v1")).body["routes"]
