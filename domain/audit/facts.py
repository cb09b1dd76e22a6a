"""Facts that two tables must tell alike: what the log said, and what stands in the state.

The last field of each is the time of the command that made it, in epoch milliseconds.
"""

from collections.abc import Iterator
from typing import NamedTuple

from domain.entities import BalanceEntry, EntryKind, Order, OrderStatus, UserCoupon


class Moved(NamedTuple):
    """A balance was moved by a signed amount."""

    user_id: int
    command_id: str
    kind: str
    amount: int
    balance_after: int
    at_ms: int


class Taken(NamedTuple):
    """What an order took from a balance, or gave back: signed as in the balance's entries."""

    user_id: int
    amount: int
    at_ms: int


class Issued(NamedTuple):
    """A copy was issued."""

    user_coupon_id: str
    user_id: int
    coupon_id: str
    coupon_code: str
    number: int
    discount_amount: int
    at_ms: int


class Spent(NamedTuple):
    """A copy paid for something of an order."""

    user_id: int
    coupon_id: str
    order_id: str | None
    at_ms: int


class Created(NamedTuple):
    """An order was priced."""

    order_id: str
    user_id: int
    total_amount: int
    discount_amount: int
    payable_amount: int
    coupon_id: str | None
    expires_at_ms: int
    at_ms: int


class Priced(NamedTuple):
    """A line of an order that was priced, by its position."""

    order_id: str
    position: int
    product_id: int
    unit_price: int
    quantity: int
    at_ms: int


class Paid(NamedTuple):
    """An order was paid."""

    order_id: str
    user_id: int
    amount: int
    at_ms: int


class Cancelled(NamedTuple):
    """An order was cancelled, and so much returned."""

    order_id: str
    user_id: int
    amount: int
    at_ms: int


class Sold(NamedTuple):
    """Pieces of a product were sold, or taken back, at the time of the payment."""

    order_id: str
    product_id: int
    quantity: int
    sold_at_ms: int
    at_ms: int


Fact = Moved | Taken | Issued | Spent | Created | Priced | Paid | Cancelled | Sold


def moved(entry: BalanceEntry) -> Moved:
    """Return what a balance entry tells."""
    return Moved(
        entry.user_id,
        entry.command_id,
        str(entry.kind),
        entry.amount,
        entry.balance_after,
        entry.recorded_at_ms,
    )


def taken_by(entry: BalanceEntry) -> Iterator[Taken]:
    """Return what a balance entry says that an order took or gave back: others say nothing."""
    if entry.kind not in (EntryKind.CHARGE, EntryKind.CREDIT):
        yield Taken(entry.user_id, entry.amount, entry.recorded_at_ms)


def taken_for(order: Order) -> Iterator[Taken]:
    """Return what an order must have taken from its user's balance, and given back."""
    if order.paid_at_ms is None or not order.payable_amount:
        return
    yield Taken(order.user_id, -order.payable_amount, order.paid_at_ms)
    if order.cancelled_at_ms is not None:
        yield Taken(order.user_id, order.payable_amount, order.cancelled_at_ms)


def issued(copy: UserCoupon) -> Issued:
    """Return how a copy was issued."""
    return Issued(
        copy.user_coupon_id,
        copy.user_id,
        copy.coupon_id,
        copy.coupon_code,
        copy.number,
        copy.discount_amount,
        copy.issued_at_ms,
    )


def spent_copy(copy: UserCoupon) -> Iterator[Spent]:
    """Return what a copy says that it was spent for."""
    if copy.used_at_ms is not None or copy.order_id is not None:
        yield Spent(copy.user_id, copy.coupon_id, copy.order_id, copy.used_at_ms or 0)


def spent_for(order: Order) -> Iterator[Spent]:
    """Return which copy an order says that it spent: one that is paid and not cancelled."""
    if order.status is OrderStatus.PAID and order.coupon_id is not None:
        yield Spent(order.user_id, order.coupon_id, order.order_id, order.paid_at_ms or 0)


def created(order: Order) -> Iterator[Created | Priced]:
    """Return how an order was created, and each of its lines."""
    at_ms = order.created_at_ms
    yield Created(
        order.order_id,
        order.user_id,
        order.total_amount,
        order.discount_amount,
        order.payable_amount,
        order.coupon_id,
        order.expires_at_ms,
        at_ms,
    )
    for position, line in enumerate(order.lines):
        sold = (line.product_id, line.unit_price, line.quantity)
        yield Priced(order.order_id, position, *sold, at_ms)


def paid(order: Order) -> Iterator[Paid | Cancelled]:
    """Return an order's payment and cancellation, as far as it has come."""
    if order.paid_at_ms is not None:
        yield Paid(order.order_id, order.user_id, order.payable_amount, order.paid_at_ms)
    if order.cancelled_at_ms is not None:
        back = 0 if order.paid_at_ms is None else order.payable_amount
        yield Cancelled(order.order_id, order.user_id, back, order.cancelled_at_ms)


def told(order: Order) -> Iterator[Paid | Cancelled | Sold]:
    """Return the events that an order must have had."""
    yield from paid(order)
    at_ms = order.paid_at_ms
    if at_ms is None:
        return
    for line in order.lines:
        yield Sold(order.order_id, line.product_id, line.quantity, at_ms, at_ms)
        if order.cancelled_at_ms is not None:
            cancelled_at_ms = order.cancelled_at_ms
            yield Sold(order.order_id, line.product_id, -line.quantity, at_ms, cancelled_at_ms)
