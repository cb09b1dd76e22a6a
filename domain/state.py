"""The working state of one batch: what was loaded, and what the batch's decisions made of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from domain.entities import BalanceEntry, Coupon, Order, Product, UserCoupon, Wallet
from domain.events import Event, Outcome
from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId

K = TypeVar("K")
E = TypeVar("E")


class Rows(Generic[K, E]):
    """The rows of one table by key: those loaded, and those changed or added since."""

    __slots__ = ("changed", "loaded")

    def __init__(self, loaded: dict[K, E] | None = None) -> None:
        self.loaded: dict[K, E] = loaded or {}
        self.changed: dict[K, E] = {}

    def get(self, key: K) -> E | None:
        """Return the row as it stands now, or None where there is none."""
        row = self.changed.get(key)
        return row if row is not None else self.loaded.get(key)

    def put(self, key: K, row: E) -> None:
        """Let the row stand like this from now on."""
        self.changed[key] = row

    def added(self) -> list[E]:
        """Return the rows that were not there when the state was loaded."""
        return [row for key, row in self.changed.items() if key not in self.loaded]

    def updated(self) -> list[E]:
        """Return the rows that were there and stand differently now."""
        return [row for key, row in self.changed.items() if key in self.loaded]


HeldCoupon = tuple[UserId, CouponId]
Movement = tuple[UserId, CommandId]
Change = Wallet | BalanceEntry | Product | Coupon | UserCoupon | Order


@dataclass(slots=True)
class State:
    """Everything that the commands of one batch name. A key that is absent has no row."""

    wallets: Rows[UserId, Wallet] = field(default_factory=Rows)
    products: Rows[ProductId, Product] = field(default_factory=Rows)
    coupons: Rows[CouponCode, Coupon] = field(default_factory=Rows)
    user_coupons: Rows[HeldCoupon, UserCoupon] = field(default_factory=Rows)
    orders: Rows[OrderId, Order] = field(default_factory=Rows)
    moved: dict[Movement, BalanceEntry] = field(default_factory=dict)
    """Movements of a balance under the ids of these commands, those of before and those of now."""
    balance_entries: list[BalanceEntry] = field(default_factory=list)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take over a decision's changes, so that the next decision sees them."""
        for change in changes:
            match change:
                case Wallet():
                    self.wallets.put(change.user_id, change)
                case BalanceEntry():
                    self.balance_entries.append(change)
                    self.moved[change.user_id, change.command_id] = change
                case Product():
                    self.products.put(change.product_id, change)
                case Coupon():
                    self.coupons.put(change.coupon_code, change)
                case UserCoupon():
                    self.user_coupons.put((change.user_id, change.coupon_id), change)
                case Order():
                    self.orders.put(change.order_id, change)


class LogPlace(NamedTuple):
    """Where a command stands in the log; its kind says in which topic."""

    epoch: int | None = None
    partition: int | None = None
    offset: int | None = None


class Terms(NamedTuple):
    """What a decision may know beside the state: time and place, and the installation's limits."""

    now_ms: int
    balance_max: int = 10_000_000
    order_expiry_ms: int = 900_000
    place: LogPlace = LogPlace()


class Decision(NamedTuple):
    """The answer to one command. A refusal has no changes and no events."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
