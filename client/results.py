"""What Fairline answers. Fields that a newer server adds are passed over."""

from datetime import datetime
from typing import Any

import msgspec


class Answer(msgspec.Struct, rename="camel"):
    """The manner of all answers."""


class ChargedBalance(Answer):
    """A charge, and the balance after it."""

    user_id: int
    charged_amount: int
    balance: int


class Balance(Answer):
    """A user's balance in won; None where the user has none."""

    user_id: int
    balance: int | None


class BalanceEntry(Answer):
    """One movement of a balance, and what it left."""

    kind: str
    amount: int
    balance: int
    command_id: str
    recorded_at: datetime


class Receipt(Answer):
    """A place in the log."""

    log_epoch: int
    partition: int
    offset: int
    accepted_at: datetime


class IssuedCoupon(Answer):
    """Copy number n of a coupon's total, and the place in the line that it was earned with."""

    user_coupon_id: str
    user_id: int
    coupon_id: str
    coupon_code: str
    number: int
    discount_amount: int
    issued_at: datetime
    total: int | None = None
    receipt: Receipt | None = None


class HeldCoupon(Answer):
    """A copy in its holder's hands: ISSUED or USED."""

    user_coupon_id: str
    coupon_id: str
    coupon_code: str
    number: int
    discount_amount: int
    state: str
    issued_at: datetime
    used_at: datetime | None
    order_id: str | None
    total: int | None = None
    receipt: Receipt | None = None


class LineRecord(Receipt):
    """One record of the line for a coupon."""

    outcome: str
    number: int | None


class OrderLine(Answer):
    """One product of an order."""

    product_id: int
    unit_price: int
    quantity: int
    amount: int


class Order(Answer):
    """An order with its lines."""

    order_id: str
    user_id: int
    items: list[OrderLine]
    total_amount: int
    discount_amount: int
    payable_amount: int
    status: str
    coupon_id: str | None
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    cancelled_at: datetime | None


class Payment(Answer):
    """What was paid, and the balance after it."""

    order_id: str
    user_id: int
    status: str
    paid_amount: int
    balance: int | None
    paid_at: datetime


class Cancellation(Answer):
    """What has returned, and the balance after it."""

    order_id: str
    user_id: int
    status: str
    refunded_amount: int
    balance: int | None
    cancelled_at: datetime


class Product(Answer):
    """A product of the catalog."""

    product_id: int
    name: str
    price: int
    stock: int


class CommandState(Answer):
    """PENDING, or DONE with the status and the body of the outcome."""

    command_id: str
    state: str
    status: int | None = None
    body: Any = None

    @property
    def is_done(self) -> bool:
        """Tell whether the outcome is known."""
        return self.state == "DONE"
