"""Writes as values: what is asked for, and the shape of its success."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from client.results import Cancellation, ChargedBalance, IssuedCoupon, Order, Payment

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Write(Generic[R]):
    """A write that can be sent, and sent again."""

    path: str
    body: Mapping[str, Any]
    result: type[R]


def charge_balance(user_id: int, amount: int) -> Write[ChargedBalance]:
    """Put an amount, in won, into a user's balance."""
    return Write("balance/charge", {"userId": user_id, "amount": amount}, ChargedBalance)


def issue_coupon(user_id: int, coupon_code: str) -> Write[IssuedCoupon]:
    """Get one copy of a coupon."""
    return Write("coupons/issue", {"userId": user_id, "couponCode": coupon_code}, IssuedCoupon)


def create_order(
    user_id: int, quantities: Mapping[int, int], coupon_id: str | None = None
) -> Write[Order]:
    """Price an order of so many pieces by product id; it reserves nothing yet."""
    items = [{"productId": each, "quantity": many} for each, many in quantities.items()]
    body: dict[str, Any] = {"userId": user_id, "items": items}
    return Write("orders", body if coupon_id is None else {**body, "couponId": coupon_id}, Order)


def pay_order(user_id: int, order_id: str) -> Write[Payment]:
    """Pay an order from the balance."""
    return Write("orders/pay", {"userId": user_id, "orderId": order_id}, Payment)


def cancel_order(user_id: int, order_id: str) -> Write[Cancellation]:
    """Take an order back, paid or not."""
    return Write("orders/cancel", {"userId": user_id, "orderId": order_id}, Cancellation)
