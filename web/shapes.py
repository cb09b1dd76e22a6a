"""The bodies of the edge's own answers; the outcomes of commands are `streams.wire`'s."""

from datetime import date, datetime
from typing import Any

import msgspec

from streams import wire

encode = msgspec.json.Encoder().encode

PENDING, DONE = "PENDING", "DONE"


class Products(wire.Shape):
    """A page of the catalog, by product id; `next` is the cursor of the following one."""

    products: list[wire.Product]
    next: str | None


class ProductWithRank(wire.Shape):
    """A product, and its place among the best sellers.

    `rank` and `quantitySold` are null outside the best 100: only the owner of its partition knows
    what such a product sold.
    """

    product_id: int
    name: str
    price: int
    stock: int
    rank: int | None
    quantity_sold: int | None


class UserCoupon(wire.Shape):
    """One copy of a coupon in its holder's hands."""

    user_coupon_id: str
    coupon_id: str
    coupon_code: str
    number: int
    discount_amount: int
    state: str
    issued_at: datetime
    used_at: datetime | None
    order_id: str | None
    total: int | None
    receipt: wire.Receipt | None


class UserCoupons(wire.Shape):
    """A page of a user's copies, in the order of their issue."""

    user_id: int
    coupons: list[UserCoupon]
    next: str | None


class LineRecord(wire.Receipt):
    """One record that asked for a coupon, and what became of it.

    `outcome` is ISSUED with the copy's number, the code of a refusal, or REPEATED, CONFLICT or
    DEAD for what was no new request.
    """

    outcome: str
    number: int | None


class CouponLine(wire.Shape):
    """A portion of the line for a coupon, in the order of the log."""

    coupon_code: str
    total: int
    issued: int
    records: list[LineRecord]
    next: str | None


class BalanceEntry(wire.Shape):
    """One movement of a balance: a signed amount, and the balance that it left."""

    kind: str
    amount: int
    balance: int
    command_id: str
    recorded_at: datetime


class BalanceHistory(wire.Shape):
    """A page of the movements of a user's balance, the newest first."""

    user_id: int
    entries: list[BalanceEntry]
    next: str | None


class Orders(wire.Shape):
    """A page of a user's orders, the newest first."""

    user_id: int
    orders: list[wire.Order]
    next: str | None


class RankedProduct(wire.Shape):
    """One place of the best sellers."""

    rank: int
    product_id: int
    name: str
    price: int
    quantity: int


class Window(wire.Shape, rename={"from_": "from"}):
    """The span of time that was counted: from its start on, up to but without its end."""

    from_: datetime
    to: datetime


class TopProducts(wire.Shape):
    """The best sellers of a window, as they were known at a time."""

    products: list[RankedProduct]
    as_of: datetime
    window: Window


class DailyTopProducts(TopProducts):
    """A stored ranking: the best sellers before a date's midnight, with their data of then."""

    source: str
    date: date


class CommandState(wire.Shape):
    """What is known of a command: PENDING, or DONE with the status and body of its outcome."""

    command_id: str
    state: str
    status: int | None
    body: msgspec.Raw | None


class AdminAction(wire.Shape):
    """An admin command that was decided: who, when, what, why, and the status of its outcome."""

    number: int
    principal: str
    command_id: str
    type: str
    payload: dict[str, Any]
    reason: str | None
    status: int
    acted_at: datetime


class AdminActions(wire.Shape):
    """What admins did, the newest first."""

    actions: list[AdminAction]
