"""What the sender of a command is told: an HTTP status, and a JSON body (RFC 9457 for a no)."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from domain import events
from domain.entities import Order, UserCoupon
from domain.events import Reason
from streams import wire

STATUS_BY_REASON: dict[str, int] = {
    Reason.CHARGE_EXISTS: 422,
    Reason.BALANCE_LIMIT_EXCEEDED: 400,
    Reason.INSUFFICIENT_BALANCE: 402,
    Reason.COUPON_NOT_FOUND: 404,
    Reason.COUPON_NOT_VALID_NOW: 409,
    Reason.COUPON_PAUSED: 409,
    Reason.COUPON_ALREADY_ISSUED: 409,
    Reason.COUPON_SOLD_OUT: 409,
    Reason.COUPON_NOT_HELD: 409,
    Reason.COUPON_ALREADY_USED: 409,
    Reason.COUPON_TOTAL_BELOW_ISSUED: 409,
    Reason.PRODUCT_NOT_FOUND: 404,
    Reason.OUT_OF_STOCK: 409,
    Reason.STOCK_LIMIT_EXCEEDED: 409,
    Reason.ORDER_NOT_FOUND: 404,
    Reason.ORDER_ALREADY_PAID: 409,
    Reason.ORDER_CANCELLED: 409,
    Reason.ORDER_ALREADY_CANCELLED: 409,
    Reason.ORDER_EXPIRED: 409,
    Reason.ORDER_EXISTS: 422,
}

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """A status and a body, JSON bytes: what is stored, published and sent over HTTP."""

    status: int
    body: bytes


def moment(epoch_ms: int) -> datetime:
    """Return the UTC time of epoch milliseconds, to the millisecond."""
    seconds, ms = divmod(epoch_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=ms * 1000)


def moment_or_none(epoch_ms: int | None) -> datetime | None:
    """Return the UTC time of epoch milliseconds, or None for none."""
    return None if epoch_ms is None else moment(epoch_ms)


def epoch_ms(at: datetime) -> int:
    """Return the epoch milliseconds of a time with an offset, rounded down.

    Raises OverflowError where the time in UTC has no year from 1 to 9999: `moment` could not
    show it.
    """
    return (at.astimezone(UTC) - datetime.fromtimestamp(0, UTC)) // _MILLISECOND


_MILLISECOND = datetime.resolution * 1000


def problem(status: int, code: str, detail: str, **members: Any) -> Answer:
    """Make a problem of RFC 9457: `code` is stable, `members` say more by wire name."""
    body = {
        "type": "urn:fairline:problem:" + code.lower().replace("_", "-"),
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **members,
    }
    return Answer(status, _encode(body))


def conflict() -> Answer:
    """Say that a known command id or idempotency key came with another content."""
    return problem(
        422,
        "IDEMPOTENCY_KEY_REUSED",
        "This idempotency key or command id was used for another request.",
    )


def answer(outcome: events.Outcome) -> Answer:
    """Turn a decision's outcome into what its sender is told."""
    if isinstance(outcome, events.Refusal):
        if outcome.reason in (Reason.ORDER_EXISTS, Reason.CHARGE_EXISTS):
            return conflict()
        status = STATUS_BY_REASON[outcome.reason]
        return problem(status, outcome.reason.value, outcome.message, **outcome.details)
    return Answer(200, _encode(_BODIES[type(outcome)](outcome)))


def charged_balance(outcome: events.BalanceCharged) -> wire.ChargedBalance:
    """Show a charge."""
    return wire.ChargedBalance(outcome.user_id, outcome.charged_amount, outcome.balance)


def issued_coupon(copy: UserCoupon) -> wire.IssuedCoupon:
    """Show a user's copy of a coupon, as it was issued."""
    return wire.IssuedCoupon(
        user_coupon_id=copy.user_coupon_id,
        user_id=copy.user_id,
        coupon_id=copy.coupon_id,
        coupon_code=copy.coupon_code,
        number=copy.number,
        discount_amount=copy.discount_amount,
        issued_at=moment(copy.issued_at_ms),
        total=copy.total,
        receipt=receipt_of(copy),
    )


def receipt_of(copy: UserCoupon) -> wire.Receipt | None:
    """Show a copy's place in the log; None for a copy from before it was kept."""
    if copy.log_epoch is None or copy.log_partition is None or copy.log_offset is None:
        return None
    return wire.Receipt(
        copy.log_epoch, copy.log_partition, copy.log_offset, moment(copy.issued_at_ms)
    )


def order_lines(order: Order) -> list[wire.OrderLine]:
    """Show an order's lines."""
    return [
        wire.OrderLine(
            line.product_id, line.unit_price, line.quantity, line.unit_price * line.quantity
        )
        for line in order.lines
    ]


def order_at(order: Order, now_ms: int) -> wire.Order:
    """Show an order with the status that it has at a time."""
    return wire.Order(
        order_id=order.order_id,
        user_id=order.user_id,
        items=order_lines(order),
        total_amount=order.total_amount,
        discount_amount=order.discount_amount,
        payable_amount=order.payable_amount,
        status=order.status_at(now_ms).value,
        coupon_id=order.coupon_id,
        created_at=moment(order.created_at_ms),
        expires_at=moment(order.expires_at_ms),
        paid_at=moment_or_none(order.paid_at_ms),
        cancelled_at=moment_or_none(order.cancelled_at_ms),
    )


def _payment(outcome: events.OrderPaid) -> wire.Payment:
    order = outcome.order
    assert order.paid_at_ms is not None
    return wire.Payment(
        order_id=order.order_id,
        user_id=order.user_id,
        status=order.status.value,
        paid_amount=order.payable_amount,
        balance=outcome.balance,
        paid_at=moment(order.paid_at_ms),
    )


def _cancellation(outcome: events.OrderCancelled) -> wire.Cancellation:
    order = outcome.order
    assert order.cancelled_at_ms is not None
    return wire.Cancellation(
        order_id=order.order_id,
        user_id=order.user_id,
        status=order.status.value,
        refunded_amount=outcome.refunded_amount,
        balance=outcome.balance,
        cancelled_at=moment(order.cancelled_at_ms),
    )


def _product(outcome: events.ProductSaved) -> wire.Product:
    product = outcome.product
    return wire.Product(product.product_id, product.name, product.price, product.stock)


def _coupon(outcome: events.CouponDefined) -> wire.Coupon:
    coupon = outcome.coupon
    return wire.Coupon(
        coupon_id=coupon.coupon_id,
        coupon_code=coupon.coupon_code,
        total=coupon.total,
        issued=coupon.issued,
        discount_amount=coupon.discount_amount,
        valid_from=moment_or_none(coupon.valid_from_ms),
        valid_until=moment_or_none(coupon.valid_until_ms),
    )


def _paused(outcome: events.CouponPaused) -> wire.PausedCoupon:
    return wire.PausedCoupon(outcome.coupon.coupon_code, outcome.coupon.paused)


def _credited(outcome: events.BalanceCredited) -> wire.CreditedBalance:
    return wire.CreditedBalance(outcome.user_id, outcome.credited_amount, outcome.balance)


_BODIES: dict[type, Callable[[Any], wire.Shape]] = {
    events.BalanceCharged: charged_balance,
    events.BalanceCredited: _credited,
    events.CouponIssued: lambda outcome: issued_coupon(outcome.user_coupon),
    events.OrderCreated: lambda outcome: order_at(outcome.order, outcome.order.created_at_ms),
    events.OrderPaid: _payment,
    events.OrderCancelled: _cancellation,
    events.ProductSaved: _product,
    events.CouponDefined: _coupon,
    events.CouponPaused: _paused,
}
