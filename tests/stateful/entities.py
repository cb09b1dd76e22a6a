"""Entities of either store, told in the words of the model."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from domain.entities import BalanceEntry, Coupon, EntryKind, Order, Product, UserCoupon, Wallet


@dataclass(frozen=True, slots=True)
class Entities:
    """Everything that is stored."""

    wallets: Iterable[Wallet]
    entries: Iterable[BalanceEntry]
    products: Iterable[Product]
    coupons: Iterable[Coupon]
    copies: Iterable[UserCoupon]
    orders: Iterable[Order]


def facts_of(stored: Entities) -> dict[str, Any]:
    """The facts as `Model.facts` tells them; money is seen to be conserved."""
    balances = {wallet.user_id: wallet.balance for wallet in stored.wallets}
    moved: Counter[tuple[int, str]] = Counter()
    for entry in stored.entries:
        moved[entry.user_id, entry.kind] += entry.amount
    assert balances == {user: sum(moved[user, kind] for kind in EntryKind) for user in balances}
    return {
        "balances": balances,
        "products": {p.product_id: (p.price, p.stock) for p in stored.products},
        "coupons": {c.coupon_code: (c.coupon_id, c.issued, c.total) for c in stored.coupons},
        "copies": {(c.user_id, c.coupon_id): (c.number, c.order_id) for c in stored.copies},
        "orders": {
            o.order_id: (o.user_id, o.payable_amount, o.status, o.paid_at_ms)
            for o in stored.orders
        },
        "moved": moved,
    }
