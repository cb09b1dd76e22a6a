"""Lists page by page, receipts, and the line that anybody may check."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from streams import wire
from tests.client import Listener, Producer
from tests.edges import Customer, edge_of
from tests.installation import install
from tests.scenario import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

COPIES, ASKED = 5, 7
ANN = 1


@dataclass(frozen=True)
class Shop:
    """A shop in which things have happened."""

    customer: Customer
    receipts: dict[int, dict[str, Any]]
    """The receipt of each user who got a copy of RUSH."""
    charged: list[int]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    kafka_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    installation = await install(kafka_url, database_url, tmp_path_factory.mktemp("lists"))
    async with (
        installation.worker(),
        installation.observed() as (producer, listener),
        edge_of(installation) as customer,
    ):
        await define(producer, listener)
        yield Shop(customer, await rush(customer), await buy(customer))


async def define(producer: Producer, listener: Listener) -> None:
    for number in range(1, 6):
        await say(producer, listener, wire.DefineProduct(number, f"Tea {number}", 10, 100))
        await say(producer, listener, wire.DefineCoupon(f"C{number}", 9, 1))
    await say(producer, listener, wire.DefineCoupon("RUSH", COPIES, 1))


async def rush(customer: Customer) -> dict[int, dict[str, Any]]:
    """More ask than there are copies; the first asks twice, and sends his first request again."""
    replies = [(user, await customer.issue(user, "RUSH", f"k{user}")) for user in range(1, ASKED)]
    await customer.issue(1, "RUSH", "k1")
    await customer.issue(1, "RUSH")
    got = {user: reply.body for user, reply in replies if reply.status == 200}
    assert [(body["number"], body["total"]) for body in got.values()] == [
        (number, COPIES) for number in range(1, COPIES + 1)
    ]
    return {user: body["receipt"] for user, body in got.items()}


async def buy(customer: Customer) -> list[int]:
    """Ann charges, gets coupons, orders and pays."""
    charged = [(await customer.charge(ANN, amount)).body["balance"] for amount in (100, 20, 3)]
    for number in range(1, 6):
        assert (await customer.issue(ANN, f"C{number}")).status == 200
        wish = {"userId": ANN, "items": [{"productId": number, "quantity": 1}]}
        order = await customer.post("/orders", wish)
        if number == 1:
            paid = {"userId": ANN, "orderId": order.body["orderId"]}
            charged.append((await customer.post("/orders/pay", paid)).body["balance"])
    return charged


async def pages(customer: Customer, path: str, name: str, limit: int) -> list[list[Any]]:
    """Walk through a list to its end."""
    found, cursor = [], ""
    while True:
        sign = "&" if "?" in path else "?"
        reply = await customer.get(f"/api/v1/{path}{sign}limit={limit}{cursor}")
        assert reply.status == 200, reply.body
        found.append(reply.body[name])
        if reply.body["next"] is None:
            return found
        cursor = f"&cursor={reply.body['next']}"


LISTS = [
    (f"balance/history?userId={ANN}", "entries", 4),
    (f"coupons?userId={ANN}", "coupons", 6),
    (f"orders?userId={ANN}", "orders", 5),
    ("products", "products", 5),
    ("coupons/RUSH/line", "records", ASKED + 1),
]


@pytest.mark.parametrize(("path", "name", "rows"), LISTS)
async def test_pages_are_the_list_cut_up(shop: Shop, path: str, name: str, rows: int) -> None:
    [whole] = await pages(shop.customer, path, name, 200)
    assert len(whole) == rows
    for limit in (1, 2, rows - 1, rows):
        cut = await pages(shop.customer, path, name, limit)
        assert [row for page in cut for row in page] == whole
        assert all(len(page) <= limit for page in cut)
    for wrong in ("limit=0", "limit=201", "limit=x", "cursor=", "cursor=x", "cursor=%00"):
        sign = "&" if "?" in path else "?"
        reply = await shop.customer.get(f"/api/v1/{path}{sign}{wrong}")
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), wrong


async def test_a_cursor_is_of_one_list(shop: Shop) -> None:
    listed = await shop.customer.get("/api/v1/products?limit=1")
    cursor = listed.body["next"]
    for path, _, _ in LISTS:
        if path != "products":
            sign = "&" if "?" in path else "?"
            reply = await shop.customer.get(f"/api/v1/{path}{sign}cursor={cursor}")
            assert reply.status == 400, path


async def test_a_statement_runs_from_balance_to_balance(shop: Shop) -> None:
    [entries] = await pages(shop.customer, f"balance/history?userId={ANN}", "entries", 200)
    assert [entry["balance"] for entry in entries] == shop.charged[::-1]
    assert [entry["kind"] for entry in entries] == ["PAYMENT", "CHARGE", "CHARGE", "CHARGE"]
    for newer, older in pairwise(entries):
        assert newer["balance"] == older["balance"] + newer["amount"]
    nobody = await shop.customer.get("/api/v1/balance/history?userId=999")
    assert nobody.body == {"userId": 999, "entries": [], "next": None}


async def test_the_line_tells_who_came_first_and_nobody_by_name(shop: Shop) -> None:
    [records] = await pages(shop.customer, "coupons/RUSH/line", "records", 200)
    issued = [record for record in records if record["outcome"] == "ISSUED"]
    assert [record["number"] for record in issued] == list(range(1, COPIES + 1))
    assert [record["offset"] for record in records] == sorted(r["offset"] for r in records)
    outcomes = [record["outcome"] for record in records]
    assert outcomes[:COPIES] == ["ISSUED"] * COPIES
    assert set(outcomes[COPIES:]) <= {"COUPON_SOLD_OUT", "REPEATED", "COUPON_ALREADY_ISSUED"}
    place = ("logEpoch", "partition", "offset", "acceptedAt")
    assert {(*place, "outcome", "number")} == {tuple(record) for record in records}
    # A receipt is a place in the line, and leads there.
    for user, receipt in shop.receipts.items():
        found = await shop.customer.get(
            f"/api/v1/coupons/RUSH/line?limit=1&offset={receipt['offset']}"
        )
        [record] = found.body["records"]
        assert {name: record[name] for name in place} == receipt
        assert record["number"] == user


async def test_a_copy_keeps_its_receipt(shop: Shop) -> None:
    for user, receipt in shop.receipts.items():
        [copies] = await pages(shop.customer, f"coupons?userId={user}", "coupons", 200)
        [copy] = [each for each in copies if each["couponCode"] == "RUSH"]
        assert (copy["receipt"], copy["number"], copy["total"]) == (receipt, user, COPIES)


@pytest.mark.parametrize("code", ["NONE", "%00", "a%20b", "x" * 65])
async def test_there_is_no_line_for_no_coupon(shop: Shop, code: str) -> None:
    assert (await shop.customer.get(f"/api/v1/coupons/{code}/line")).code == "COUPON_NOT_FOUND"
