"""The eight rows through real processes: every documented field, and what a row leaves behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from streams import wire
from tests.client import eventually
from tests.street import Visitor

NewId = Callable[[], int]


def moment(text: str) -> datetime:
    """Read a timestamp, which must tell its offset."""
    read = datetime.fromisoformat(text)
    assert read.tzinfo is not None
    return read


async def test_balance_and_charge(visitor: Visitor, new_id: NewId) -> None:
    ann = new_id()
    unknown = await visitor.get(f"/api/v1/balance?userId={ann}")
    assert (unknown.status, unknown.body) == (200, {"userId": ann, "balance": None})
    first = await visitor.charge(ann, 5_000)
    assert (first.status, first.body) == (
        200,
        {"userId": ann, "chargedAmount": 5_000, "balance": 5_000},
    )
    second = await visitor.charge(ann, 1)
    assert second.body == {"userId": ann, "chargedAmount": 1, "balance": 5_001}
    assert await visitor.balance(ann) == 5_001


async def test_the_highest_user_id_is_served(visitor: Visitor) -> None:
    last = 2**63 - 1
    # Others who try what is highest have charged it too.
    held = await visitor.balance(last) or 0
    charged = await visitor.charge(last, 7)
    assert charged.body == {"userId": last, "chargedAmount": 7, "balance": held + 7}
    assert await visitor.balance(last) == held + 7


async def test_issue_and_list_coupons(visitor: Visitor, new_id: NewId) -> None:
    code, users = f"C-{new_id()}", [new_id() for _ in range(3)]
    await visitor.define(wire.DefineCoupon(code, 3, 1_000))
    for number, user_id in enumerate(users, start=1):
        assert await visitor.coupons(user_id) == []
        issued = await visitor.issue(user_id, code)
        assert issued.status == 200
        assert issued.body["number"] == number
        assert (issued.body["userId"], issued.body["couponCode"]) == (user_id, code)
        assert set(issued.body) == {
            *("userCouponId", "userId", "couponId", "couponCode", "number", "issuedAt"),
            *("discountAmount", "total", "receipt"),
        }
        assert moment(issued.body["issuedAt"])
        (copy,) = await visitor.coupons(user_id)
        assert copy["state"] == "ISSUED"
        assert (issued.body["total"], issued.body["receipt"]["acceptedAt"]) == (
            3,
            issued.body["issuedAt"],
        )
        for field in ("userCouponId", "couponId", "couponCode", "number", "issuedAt", "receipt"):
            assert copy[field] == issued.body[field]


async def test_order_and_payment(visitor: Visitor, new_id: NewId) -> None:
    ann, tea, pot, code = new_id(), new_id(), new_id(), f"C-{new_id()}"
    await visitor.define(
        wire.DefineProduct(tea, "Tea", 4_500, 10),
        wire.DefineProduct(pot, "Pot", 20_000, 5),
        wire.DefineCoupon(code, 1, 3_000),
    )
    await visitor.charge(ann, 100_000)
    coupon_id = (await visitor.issue(ann, code)).body["couponId"]
    ordered = await visitor.order(ann, [(tea, 2), (pot, 1), (tea, 1)], coupon_id)
    order = ordered.body
    order_id = order["orderId"]
    assert ordered.status == 200
    assert UUID(order_id)
    assert order["items"] == [
        {"productId": tea, "unitPrice": 4_500, "quantity": 3, "amount": 13_500},
        {"productId": pot, "unitPrice": 20_000, "quantity": 1, "amount": 20_000},
    ]
    amounts = [order[name] for name in ("totalAmount", "discountAmount", "payableAmount")]
    assert amounts == [33_500, 3_000, 30_500]
    assert (order["status"], order["couponId"], order["paidAt"]) == ("PENDING", coupon_id, None)
    assert moment(order["expiresAt"]) - moment(order["createdAt"]) == timedelta(minutes=15)
    # It reserves nothing: neither stock, nor balance, nor the coupon.
    assert (await visitor.product(tea))["stock"] == 10
    assert await visitor.balance(ann) == 100_000
    assert (await visitor.coupons(ann))[0]["state"] == "ISSUED"
    assert (await visitor.read_order(ann, order_id)).body == order
    await assert_payment(visitor, ann, order_id)
    assert (await visitor.product(tea))["stock"] == 7
    assert (await visitor.product(pot))["stock"] == 4
    (copy,) = await visitor.coupons(ann)
    assert (copy["state"], copy["orderId"]) == ("USED", order_id)
    assert moment(copy["usedAt"])


async def assert_payment(visitor: Visitor, user_id: int, order_id: str) -> None:
    """Pay an order of 30,500 won from 100,000."""
    paid = await visitor.pay(user_id, order_id)
    assert paid.status == 200
    assert moment(paid.body.pop("paidAt"))
    assert paid.body == {
        "orderId": order_id,
        "userId": user_id,
        "status": "PAID",
        "paidAmount": 30_500,
        "balance": 69_500,
    }
    assert await visitor.balance(user_id) == 69_500
    shown = (await visitor.read_order(user_id, order_id)).body
    assert shown["status"] == "PAID"
    assert moment(shown["paidAt"])


async def test_an_order_is_paid_at_the_previewed_prices(visitor: Visitor, new_id: NewId) -> None:
    ann, tea = new_id(), new_id()
    await visitor.define(wire.DefineProduct(tea, "Tea", 1_000, 10))
    await visitor.charge(ann, 5_000)
    order = await visitor.order(ann, [(tea, 1)])
    await visitor.define(wire.DefineProduct(tea, "Dear tea", 4_000))
    await visitor.sees({"productId": tea, "name": "Dear tea", "price": 4_000, "stock": 10})
    assert (await visitor.pay(ann, order.body["orderId"])).body["paidAmount"] == 1_000


async def test_a_coupon_takes_no_more_off_than_the_total(visitor: Visitor, new_id: NewId) -> None:
    ann, tea, code = new_id(), new_id(), f"C-{new_id()}"
    await visitor.define(
        wire.DefineProduct(tea, "Tea", 1_000, 10), wire.DefineCoupon(code, 1, 5_000)
    )
    coupon_id = (await visitor.issue(ann, code)).body["couponId"]
    order = (await visitor.order(ann, [(tea, 1)], coupon_id)).body
    assert (order["discountAmount"], order["payableAmount"]) == (1_000, 0)
    # Who never charged anything can pay nothing.
    paid = await visitor.pay(ann, order["orderId"])
    assert (paid.status, paid.body["paidAmount"], paid.body["balance"]) == (200, 0, None)


async def test_restock_and_the_list_of_products(visitor: Visitor, new_id: NewId) -> None:
    tea = new_id()
    await visitor.define(wire.DefineProduct(tea, "Tea \u2615", 0, 1))
    await visitor.define(wire.RestockProduct(tea, 41))
    await visitor.sees({"productId": tea, "name": "Tea \u2615", "price": 0, "stock": 42})


async def test_top_products(visitor: Visitor, new_id: NewId) -> None:
    ann, best, second = new_id(), new_id(), new_id()
    await visitor.define(
        wire.DefineProduct(best, "Best", 0, 50_000), wire.DefineProduct(second, "Good", 0, 50_000)
    )
    for items in ([(best, 9_000), (second, 10_000)], [(best, 2_000)]):
        order = await visitor.order(ann, items)
        assert (await visitor.pay(ann, order.body["orderId"])).status == 200

    async def look() -> bool:
        return (await visitor.top())[:2] == [(best, 11_000), (second, 10_000)]

    await eventually(look, "the best sellers")
    reply = await visitor.get("/api/v1/products/top")
    assert reply.body["products"][0] == {
        "rank": 1,
        "productId": best,
        "name": "Best",
        "price": 0,
        "quantity": 11_000,
    }
    assert [place["rank"] for place in reply.body["products"]] == list(
        range(1, len(reply.body["products"]) + 1)
    )
    assert len(reply.body["products"]) <= 5
    window = reply.body["window"]
    assert timedelta(hours=71) <= moment(window["to"]) - moment(window["from"])
    assert moment(window["from"]) <= moment(reply.body["asOf"])


async def test_a_command_is_known_by_its_id(visitor: Visitor, new_id: NewId) -> None:
    charged = await visitor.charge(new_id(), 5)
    command_id = charged.headers["Command-Id"]
    assert (await visitor.command(command_id)).body == {
        "commandId": command_id,
        "state": "DONE",
        "status": 200,
        "body": charged.body,
    }
    unknown = await visitor.command("01234567-89ab-4cde-8f01-23456789abcd")
    assert (unknown.status, unknown.code) == (404, "COMMAND_NOT_FOUND")
