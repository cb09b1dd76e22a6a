"""The shapes on the wire, JSON in camelCase: commands and results. Schemas are made of these.

The same payload is the body of an HTTP request and the `payload` of a command on Kafka.
"""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from domain import principals
from domain.catalog import STOCK_MAX
from domain.principals import Scope
from streams.wire_fields import END_OF_TEXT, Amount, Code, Id, Name, Pieces, Price, Quantity, Why

INT64_MAX = principals.INT64_MAX
Moment = Annotated[datetime, Meta(tz=True)]


class Shape(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The manner of everything on the wire: camelCase, no unknown fields."""


class ChargeBalance(Shape):
    """Add an amount to a balance. Keyed by userId."""

    user_id: Id
    amount: Amount


class CreditBalance(Shape):
    """Give a user an amount, for a reason that is kept. Keyed by userId; for admins."""

    user_id: Id
    amount: Amount
    reason: Why


class IssueCoupon(Shape):
    """Issue one copy of a coupon to a user. Keyed by couponCode."""

    user_id: Id
    coupon_code: Code


class OrderItem(Shape):
    """So many pieces of one product."""

    product_id: Id
    quantity: Quantity


class CreateOrder(Shape):
    """Price an order. Keyed by userId. Lines of one product are merged."""

    user_id: Id
    items: Annotated[list[OrderItem], Meta(min_length=1, max_length=100)]
    coupon_id: Code | None = None


class PayOrder(Shape):
    """Pay an order from the balance. Keyed by userId."""

    user_id: Id
    order_id: Code


class CancelOrder(Shape):
    """Cancel an order, paid or not; what was paid returns to the balance. Keyed by userId."""

    user_id: Id
    order_id: Code


class DefineProduct(Shape):
    """Put a product into the catalog, or rename and reprice it. Keyed by productId."""

    product_id: Id
    name: Name
    price: Price
    stock: Pieces = 0
    reason: Why | msgspec.UnsetType = msgspec.UNSET


class RestockProduct(Shape):
    """Add pieces to a product's stock. Keyed by productId."""

    product_id: Id
    quantity: Annotated[int, Meta(ge=1, le=STOCK_MAX)]
    reason: Why | msgspec.UnsetType = msgspec.UNSET


class DefineCoupon(Shape):
    """Announce a coupon, or change its terms. Keyed by couponCode."""

    coupon_code: Code
    total: Annotated[int, Meta(ge=0, le=STOCK_MAX)]
    discount_amount: Amount
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    reason: Why | msgspec.UnsetType = msgspec.UNSET


class PauseCoupon(Shape):
    """Issue no more copies of a coupon for now, or issue them again. Keyed by couponCode."""

    coupon_code: Code
    reason: Why
    paused: bool = True


class Stamp(NamedTuple):
    """Who acts, as an edge or the gateway puts it on a command."""

    principal: str
    scope: Scope | None = None


class Envelope(Shape):
    """What a producer puts on a command topic. Without a principal, the payload's user acts.

    Edges and the gateway stamp principal and scope.
    """

    command_id: UUID
    type: Annotated[str, Meta(max_length=64)]
    payload: msgspec.Raw
    principal: Annotated[str, Meta(pattern=r"^[\u0021-\u007e]{1,255}" + END_OF_TEXT)] | None = None
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class Balance(Shape):
    """A user's balance; null where the user has none."""

    user_id: int
    balance: int | None


class ChargedBalance(Shape):
    """The outcome of a charge."""

    user_id: int
    charged_amount: int
    balance: int


class CreditedBalance(Shape):
    """The outcome of a credit."""

    user_id: int
    credited_amount: int
    balance: int


class Receipt(Shape):
    """Where a command stands in the log: whoever stands before it in its partition came first."""

    log_epoch: int
    partition: int
    offset: int
    accepted_at: Moment


class IssuedCoupon(Shape):
    """The outcome of an issue: copy number n of the coupon's total, and its place in the line."""

    user_coupon_id: str
    user_id: int
    coupon_id: str
    coupon_code: str
    number: int
    discount_amount: int
    issued_at: Moment
    total: int | None = None
    receipt: Receipt | None = None


class OrderLine(Shape):
    """One product of an order, at the previewed price."""

    product_id: int
    unit_price: int
    quantity: int
    amount: int


class Order(Shape):
    """An order: its lines, and what is to be paid until when."""

    order_id: str
    user_id: int
    items: list[OrderLine]
    total_amount: int
    discount_amount: int
    payable_amount: int
    status: str
    coupon_id: str | None
    created_at: Moment
    expires_at: Moment
    paid_at: Moment | None
    cancelled_at: Moment | None


class Payment(Shape):
    """The outcome of a payment."""

    order_id: str
    user_id: int
    status: str
    paid_amount: int
    balance: int | None
    paid_at: Moment


class Cancellation(Shape):
    """The outcome of a cancellation: what returned to the balance, 0 if nothing was paid."""

    order_id: str
    user_id: int
    status: str
    refunded_amount: int
    balance: int | None
    cancelled_at: Moment


class Product(Shape):
    """A product of the catalog."""

    product_id: int
    name: str
    price: int
    stock: int


class Coupon(Shape):
    """A coupon's terms, and how many copies are out."""

    coupon_id: str
    coupon_code: str
    total: int
    issued: int
    discount_amount: int
    valid_from: Moment | None
    valid_until: Moment | None


class PausedCoupon(Shape):
    """Whether a coupon is paused."""

    coupon_code: str
    paused: bool


class CommandResult(Shape):
    """Published on `command-results`: the outcome of one record of a command topic.

    `status` is the HTTP status an edge answers with, `body` the success or the problem.
    `replayed` tells that the command was known and the outcome is the first one's.
    """

    command_id: str | None
    request_token: str | None
    topic: str
    partition: int
    offset: int
    status: int
    body: msgspec.Raw
    replayed: bool = False


class DeadLetter(Shape):
    """Published on `dead-letters`: a record that could not be applied, byte for byte.

    Key, value and header values are base64; null where the record had none.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    recorded_at: Moment


class Problem(Shape, omit_defaults=True):
    """An error as RFC 9457 has it, with a stable `code`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
