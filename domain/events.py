"""What has happened: the outcomes a sender is told, and the events that others follow."""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.entities import Coupon, Order, Product, UserCoupon
from domain.ids import OrderId, ProductId, UserId


class Reason(StrEnum):
    """Why a command was refused. Each rule documents the order in which it looks for them."""

    CHARGE_EXISTS = "CHARGE_EXISTS"
    BALANCE_LIMIT_EXCEEDED = "BALANCE_LIMIT_EXCEEDED"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    COUPON_NOT_FOUND = "COUPON_NOT_FOUND"
    COUPON_NOT_VALID_NOW = "COUPON_NOT_VALID_NOW"
    COUPON_PAUSED = "COUPON_PAUSED"
    COUPON_ALREADY_ISSUED = "COUPON_ALREADY_ISSUED"
    COUPON_SOLD_OUT = "COUPON_SOLD_OUT"
    COUPON_NOT_HELD = "COUPON_NOT_HELD"
    COUPON_ALREADY_USED = "COUPON_ALREADY_USED"
    COUPON_TOTAL_BELOW_ISSUED = "COUPON_TOTAL_BELOW_ISSUED"
    PRODUCT_NOT_FOUND = "PRODUCT_NOT_FOUND"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    STOCK_LIMIT_EXCEEDED = "STOCK_LIMIT_EXCEEDED"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDER_ALREADY_PAID = "ORDER_ALREADY_PAID"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_ALREADY_CANCELLED = "ORDER_ALREADY_CANCELLED"
    ORDER_EXPIRED = "ORDER_EXPIRED"
    ORDER_EXISTS = "ORDER_EXISTS"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A business answer of no. `details` names what stood in the way, by wire name."""

    reason: Reason
    message: str
    details: dict[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BalanceCharged:
    """The balance grew by `charged_amount` and is now `balance`, in won."""

    user_id: UserId
    charged_amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class BalanceCredited:
    """An admin's credit of `credited_amount` made the balance `balance`, in won."""

    user_id: UserId
    credited_amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class CouponIssued:
    """The user holds this copy now."""

    user_coupon: UserCoupon


@dataclass(frozen=True, slots=True)
class OrderCreated:
    """The order stands at this price until it expires."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """The order is paid. `balance` is what the user has left; None where there is no wallet."""

    order: Order
    balance: int | None


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order is cancelled. `refunded_amount` went back to the balance: 0 if it was not paid.

    `balance` is what the user has now; None where there is no wallet.
    """

    order: Order
    refunded_amount: int
    balance: int | None


@dataclass(frozen=True, slots=True)
class ProductSaved:
    """The product stands in the catalog like this."""

    product: Product


@dataclass(frozen=True, slots=True)
class CouponDefined:
    """The coupon stands like this."""

    coupon: Coupon


@dataclass(frozen=True, slots=True)
class CouponPaused:
    """The coupon is paused, or is so no more."""

    coupon: Coupon


@dataclass(frozen=True, slots=True)
class SaleRecorded:
    """So many pieces of a product were sold, at the broker time of the payment.

    A negative quantity takes a sale back: the time stays that of the payment.
    """

    order_id: OrderId
    product_id: ProductId
    quantity: int
    sold_at_ms: int


Outcome = (
    BalanceCharged
    | BalanceCredited
    | CouponIssued
    | OrderCreated
    | OrderPaid
    | OrderCancelled
    | ProductSaved
    | CouponDefined
    | CouponPaused
    | Refusal
)
Event = OrderPaid | OrderCancelled | SaleRecorded
