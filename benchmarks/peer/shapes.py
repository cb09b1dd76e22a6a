"""What the peer's server and its stores tell each other, and the rules that both stores follow."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

BALANCE_MAX = 10_000_000
EXPIRY = timedelta(minutes=15)


class Charge(msgspec.Struct, rename="camel"):
    """The body of a charge."""

    user_id: int
    amount: int


class Issue(msgspec.Struct, rename="camel"):
    """The body of a coupon issue."""

    user_id: int
    coupon_code: str


class Item(msgspec.Struct, rename="camel"):
    """So many pieces of a product."""

    product_id: int
    quantity: int


class CreateOrder(msgspec.Struct, rename="camel"):
    """The body of an order."""

    user_id: int
    items: list[Item]


class PayOrder(msgspec.Struct, rename="camel"):
    """The body of a payment."""

    user_id: int
    order_id: int


class Line(msgspec.Struct, rename="camel"):
    """An order's line, at the price of the preview."""

    product_id: int
    unit_price: int
    quantity: int


class Preview(msgspec.Struct, rename="camel"):
    """What creating an order answers. The load looks for the first two fields and the status."""

    order_id: int
    user_id: int
    items: list[Line]
    total_amount: int
    payable_amount: int
    status: str
    created_at: datetime
    expires_at: datetime


class Payment(msgspec.Struct, rename="camel"):
    """What paying an order answers."""

    order_id: int
    user_id: int
    status: str
    paid_amount: int
    balance: int
    paid_at: datetime


class Holding(msgspec.Struct, rename="camel"):
    """One of a user's coupons."""

    coupon_code: str
    number: int


class Refused(Exception):  # noqa: N818  (A refusal is an answer here, not an error.)
    """The request was understood and is refused; the transaction is rolled back."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


class Store(Protocol):
    """The database work of a request: one transaction each."""

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the entry; the new balance."""

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase; the coupon's number."""

    async def create_order(self, body: CreateOrder) -> Preview:
        """Price an order; it reserves nothing."""

    async def pay_order(self, body: PayOrder) -> Payment:
        """Move balance, stock and status together."""

    async def balance(self, user_id: int) -> int | None:
        """A user's balance."""

    async def coupons(self, user_id: int) -> list[Holding]:
        """A user's coupons."""


class StoreMaker(Protocol):
    """A store's class: one that `holds_rows` locks, as it reads them, rows that it will change."""

    def __call__(self, engine: AsyncEngine, *, holds_rows: bool) -> Store:
        """Make one."""


class Priced(Protocol):
    """A product, as far as its price and stock go."""

    @property
    def price(self) -> int:
        """In won."""

    @property
    def stock(self) -> int:
        """In pieces."""


class Waiting(Protocol):
    """An order, as far as it can be paid or not."""

    @property
    def user_id(self) -> int:
        """Whose it is."""

    @property
    def status(self) -> str:
        """PENDING or PAID."""

    @property
    def expires_at(self) -> datetime:
        """When its time runs out."""


def price(body: CreateOrder, products: Mapping[int, Priced]) -> Preview:
    """The order at today's prices, without an id yet.

    Refused where a product is unknown or its stock too low.
    """
    if any(item.product_id not in products for item in body.items):
        raise Refused(404, "PRODUCT_NOT_FOUND")
    if any(products[item.product_id].stock < item.quantity for item in body.items):
        raise Refused(409, "OUT_OF_STOCK")
    lines = [Line(i.product_id, products[i.product_id].price, i.quantity) for i in body.items]
    total, now = sum(line.unit_price * line.quantity for line in lines), datetime.now(UTC)
    return Preview(0, body.user_id, lines, total, total, "PENDING", now, now + EXPIRY)


def refuse_unpayable(order: Waiting | None, body: PayOrder) -> None:
    """Refuse an unknown or another user's order, a paid and an expired one."""
    if order is None or order.user_id != body.user_id:
        raise Refused(404, "ORDER_NOT_FOUND")
    if order.status != "PENDING":
        raise Refused(409, "ORDER_ALREADY_PAID")
    if order.expires_at <= datetime.now(UTC):
        raise Refused(409, "ORDER_EXPIRED")
