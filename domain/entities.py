"""What the system of record remembers. Values, never changed in place; times in epoch ms."""

from dataclasses import dataclass
from enum import StrEnum

from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId


@dataclass(frozen=True, slots=True)
class Wallet:
    """A user's balance in won, never negative."""

    user_id: UserId
    balance: int


class EntryKind(StrEnum):
    """Why a balance moved."""

    CHARGE = "CHARGE"
    CREDIT = "CREDIT"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One movement of a balance: `amount` is signed, `balance_after` what it left."""

    user_id: UserId
    command_id: CommandId
    kind: EntryKind
    amount: int
    balance_after: int
    recorded_at_ms: int


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for sale: price in won, stock in pieces, never negative."""

    product_id: ProductId
    name: str
    price: int
    stock: int


@dataclass(frozen=True, slots=True)
class Coupon:
    """A limited offer: `issued` of `total` copies are out, each takes a fixed sum off.

    While it is paused no more are issued; those that are out stay what they are.
    """

    coupon_id: CouponId
    coupon_code: CouponCode
    total: int
    issued: int
    discount_amount: int
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    paused: bool = False

    def is_valid_at(self, now_ms: int) -> bool:
        """Tell whether copies may be issued now: the first moment counts, the last does not."""
        started = self.valid_from_ms is None or self.valid_from_ms <= now_ms
        ended = self.valid_until_ms is not None and self.valid_until_ms <= now_ms
        return started and not ended


@dataclass(frozen=True, slots=True)
class UserCoupon:
    """A user's copy of a coupon: number n of its total. Spent once `used_at_ms` is set.

    Its place in the log proves whose turn it was; copies from before it was kept have none.
    """

    user_coupon_id: CommandId
    user_id: UserId
    coupon_id: CouponId
    coupon_code: CouponCode
    number: int
    discount_amount: int
    issued_at_ms: int
    used_at_ms: int | None = None
    order_id: OrderId | None = None
    total: int | None = None
    """Of how many it was one when it was issued."""
    log_epoch: int | None = None
    log_partition: int | None = None
    log_offset: int | None = None


class OrderStatus(StrEnum):
    """A stored order waits, is paid or is cancelled; an expired one waited for too long."""

    PENDING = "PENDING"
    PAID = "PAID"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One product of an order, at the price of its preview."""

    product_id: ProductId
    unit_price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """A priced order: payable = total - discount, in won. A cancelled one keeps `paid_at_ms`."""

    order_id: OrderId
    user_id: UserId
    lines: tuple[OrderLine, ...]
    status: OrderStatus
    total_amount: int
    discount_amount: int
    payable_amount: int
    coupon_id: CouponId | None
    created_at_ms: int
    expires_at_ms: int
    paid_at_ms: int | None = None
    cancelled_at_ms: int | None = None

    def status_at(self, now_ms: int) -> OrderStatus:
        """Tell the status a reader sees: from `expires_at_ms` on, a waiting order is expired."""
        if self.status is OrderStatus.PENDING and now_ms >= self.expires_at_ms:
            return OrderStatus.EXPIRED
        return self.status
