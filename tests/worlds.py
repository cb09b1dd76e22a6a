"""Small worlds for tests of the rules: entities in, a state and its decisions out."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from domain.commands import Command
from domain.entities import (
    Coupon,
    Order,
    OrderLine,
    OrderStatus,
    Product,
    UserCoupon,
    Wallet,
)
from domain.events import Reason, Refusal
from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId
from domain.rules import decide
from domain.state import Change, Decision, State, Terms

INT64_MAX = 2**63 - 1
NOW_MS = 1_800_000_000_000
TERMS = Terms(NOW_MS)

ANN = UserId(7)
BOB = UserId(8)
TEA = ProductId(1)
CUP = ProductId(2)
CODE = CouponCode("RUSH100")
COUPON_ID = CouponId("c0ffee00-0000-4000-8000-000000000000")
ORDER_ID = OrderId("0a0a0a0a-0000-4000-8000-000000000000")


def command_id(number: int) -> CommandId:
    return CommandId(f"00000000-0000-4000-8000-{number:012x}")


def state_of(*rows: Change | None) -> State:
    """A state in which these rows stand; None stands for a row that is not there."""
    state = State()
    state.apply(row for row in rows if row is not None)
    return state


def seen(state: State) -> tuple[Any, ...]:
    """All that a state holds, for comparing two moments."""
    tables = (state.wallets, state.products, state.coupons, state.user_coupons, state.orders)
    rows = tuple({**table.loaded, **table.changed} for table in tables)
    return (*rows, tuple(state.balance_entries), dict(state.moved))


def decide_untouched(state: State, command: Command, terms: Terms = TERMS) -> Decision:
    """Decide, and see that deciding alone changes nothing of the state."""
    before = seen(state)
    decision = decide(state, command, terms)
    assert seen(state) == before
    return decision


def refusal_of(state: State, command: Command, terms: Terms = TERMS) -> Refusal:
    """Decide a command that is refused, and see that it changes and tells nothing."""
    decision = decide_untouched(state, command, terms)
    assert isinstance(decision.outcome, Refusal), decision.outcome
    assert (decision.changes, decision.events) == ((), ())
    assert decision.outcome.message.endswith(".")
    return decision.outcome


def reason_of(state: State, command: Command, terms: Terms = TERMS) -> Reason:
    return refusal_of(state, command, terms).reason


def wallet(balance: int, user_id: UserId = ANN) -> Wallet:
    return Wallet(user_id, balance)


def product(product_id: ProductId = TEA, price: int = 1_000, stock: int = 10) -> Product:
    return Product(product_id, f"Product {product_id}", price, stock)


def coupon(total: int = 100, issued: int = 0, **terms: int | None) -> Coupon:
    coupon = Coupon(COUPON_ID, CODE, total, issued, 5_000)
    return replace(coupon, **terms)  # type: ignore[arg-type]


def copy(used_at_ms: int | None = None, discount: int = 500, user_id: UserId = ANN) -> UserCoupon:
    return UserCoupon(
        user_coupon_id=command_id(1),
        user_id=user_id,
        coupon_id=COUPON_ID,
        coupon_code=CODE,
        number=1,
        discount_amount=discount,
        issued_at_ms=NOW_MS - 1_000,
        used_at_ms=used_at_ms,
    )


def line(product_id: ProductId = TEA, price: int = 1_000, quantity: int = 1) -> OrderLine:
    return OrderLine(product_id, price, quantity)


def order(lines: Iterable[OrderLine] = (), discount: int = 0, **fields: Any) -> Order:
    """An order of Ann's that can be paid until a minute from now, unless told otherwise."""
    listed = tuple(lines) or (line(),)
    total = sum(each.unit_price * each.quantity for each in listed)
    told = {
        "order_id": ORDER_ID,
        "user_id": ANN,
        "lines": listed,
        "status": OrderStatus.PENDING,
        "total_amount": total,
        "discount_amount": discount,
        "payable_amount": total - discount,
        "coupon_id": COUPON_ID if discount else None,
        "created_at_ms": NOW_MS - 60_000,
        "expires_at_ms": NOW_MS + 60_000,
    }
    return Order(**{**told, **fields})
