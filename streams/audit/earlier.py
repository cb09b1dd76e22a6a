"""What stood a moment before, for orders: they are priced without a lock.

A batch that only creates orders reads products and copies as they stand; another batch may change
them and be written first. Then the order has a greater id than the change that it did not see. It
reserves nothing, so nobody is wronged; but whoever decides it again must look at what it saw.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from domain import commands
from domain.entities import Product, UserCoupon
from domain.ids import ProductId
from domain.state import HeldCoupon, Rows, State

# A transaction ends within seconds, and no installation applies more rows meanwhile.
ROWS_MAX = 20_000


class _Change(NamedTuple):
    row_id: int
    key: ProductId | HeldCoupon
    before: Product | UserCoupon | None


class Earlier:
    """Remembers what the last rows of the command log have changed, as it stood before."""

    def __init__(self) -> None:
        self._changes: deque[_Change] = deque()

    def watch(self, state: State, command: commands.Command | None) -> list[_Change]:
        """Look at what a command may change, before it is decided."""
        match command:
            case commands.DefineProduct() | commands.RestockProduct():
                products = [command.product_id]
            case commands.PayOrder() | commands.CancelOrder():
                order = state.orders.get(command.order_id)
                products = [line.product_id for line in order.lines] if order else []
            case commands.IssueCoupon():
                coupon = state.coupons.get(command.coupon_code)
                held = (command.user_id, coupon.coupon_id) if coupon else None
                return [_Change(0, held, state.user_coupons.get(held))] if held else []
            case _:
                return []
        return [_Change(0, product_id, state.products.get(product_id)) for product_id in products]

    def note(self, row_id: int, watched: list[_Change], state: State) -> None:
        """Remember what of it was changed by the row with this id."""
        for change in watched:
            if change.before != _now(state, change.key):
                self._changes.append(change._replace(row_id=row_id))
        while self._changes and self._changes[0].row_id < row_id - ROWS_MAX:
            self._changes.popleft()

    def states(self, row_id: int, state: State, command: commands.CreateOrder) -> Iterator[State]:
        """Return what the order may have seen, from the present backwards; the present not."""
        recent = takewhile(lambda c: c.row_id >= row_id - ROWS_MAX, reversed(self._changes))
        changes = list(recent)
        copies = _copies(state, command)
        yield from _walk_back(state, command, changes, copies)
        held = set(copies.loaded)
        if any(change.key in held and change.before is None for change in changes):
            # It was read before the copy was issued; the products perhaps even earlier.
            yield replace(state, user_coupons=Rows())
            yield from _walk_back(state, command, changes, Rows())


def _now(state: State, key: ProductId | HeldCoupon) -> Product | UserCoupon | None:
    return state.user_coupons.get(key) if isinstance(key, tuple) else state.products.get(key)


def _copies(state: State, command: commands.CreateOrder) -> Rows[HeldCoupon, UserCoupon]:
    if command.coupon_id is None:
        return Rows()
    held = (command.user_id, command.coupon_id)
    copy = state.user_coupons.get(held)
    return Rows({held: copy} if copy else {})


def _walk_back(
    state: State,
    command: commands.CreateOrder,
    changes: list[_Change],
    copies: Rows[HeldCoupon, UserCoupon],
) -> Iterator[State]:
    products = {line.product_id: state.products.get(line.product_id) for line in command.lines}
    for change in changes:
        if not isinstance(change.key, tuple) and change.key in products:
            assert not isinstance(change.before, UserCoupon)
            products[change.key] = change.before
            seen = Rows({key: product for key, product in products.items() if product})
            yield replace(state, products=seen, user_coupons=copies)
