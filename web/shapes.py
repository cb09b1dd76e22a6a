"""The bodies of the edge's own answers; the outcomes of commands are `streams.wire`'s."""

from datetime import date, datetime
from typing import Any

import msgspec

from streams import wire

encode = msgspec.json.Encoder().encode


class Products(wire.Shape):
    """The whole catalog, by product id."""

    products: list[wire.Product]


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


class UserCoupons(wire.Shape):
    """A user's copies, in the order of their issue."""

    user_id: int
    coupons: list[UserCoupon]


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
