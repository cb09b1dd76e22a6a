"""What must hold within the state itself: balances, coupons and their copies, orders."""

from collections.abc import Iterable, Iterator

from domain.entities import BalanceEntry, Coupon, Order, OrderStatus, UserCoupon, Wallet


class Purse:
    """One user's entries in the order of the log, as they add up."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self._sum = 0
        self._left: int | None = None

    def add(self, entry: BalanceEntry) -> Iterator[str]:
        """Take the next entry, and say what is wrong with it."""
        before = self._left or 0
        self._sum += entry.amount
        self._left = entry.balance_after
        if before + entry.amount != entry.balance_after:
            yield (
                f"user {self.user_id}, command {entry.command_id}: {before} and {entry.amount}"
                f" make {before + entry.amount}, not {entry.balance_after}"
            )
        if entry.balance_after < 0:
            yield f"user {self.user_id}, command {entry.command_id}: {entry.balance_after} left"

    def close(self, wallet: Wallet | None) -> Iterator[str]:
        """Say what is wrong between all entries and the wallet, None where there is none."""
        if wallet is None:
            yield f"user {self.user_id}: entries, and no wallet"
            return
        if self._left is None:
            yield f"user {self.user_id}: a wallet with {wallet.balance}, and no entry"
        elif wallet.balance != self._sum or wallet.balance != self._left:
            yield (
                f"user {self.user_id}: the wallet holds {wallet.balance}, its entries are"
                f" {self._sum} in all, the last one left {self._left}"
            )
        if wallet.balance < 0:
            yield f"user {self.user_id}: the wallet holds {wallet.balance}"


class Numbers:
    """One coupon's copies in the order of their numbers."""

    def __init__(self, coupon: Coupon) -> None:
        self.coupon = coupon
        self._last = self._copies = 0

    def add(self, copy: UserCoupon) -> Iterator[str]:
        """Take the copy with the next number, and say what is wrong with it."""
        code = self.coupon.coupon_code
        if copy.number != self._last + 1:
            yield f"coupon {code}: number {copy.number} follows {self._last}"
        if copy.coupon_code != code:
            yield f"copy {copy.user_coupon_id} names the code {copy.coupon_code}, not {code}"
        self._last = copy.number
        self._copies += 1

    def close(self) -> Iterator[str]:
        """Say what is wrong between all copies and the coupon."""
        coupon = self.coupon
        if self._copies != coupon.issued:
            yield f"coupon {coupon.coupon_code}: {coupon.issued} issued, {self._copies} copies"
        if not 0 <= coupon.issued <= coupon.total:
            yield f"coupon {coupon.coupon_code}: {coupon.issued} of {coupon.total} are issued"


def order_faults(order: Order) -> Iterator[str]:
    """Say what is wrong within one order."""
    for holds, what in _order_terms(order):
        if not holds:
            yield f"order {order.order_id}: {what}"


def _order_terms(order: Order) -> Iterable[tuple[bool, str]]:
    total = sum(line.unit_price * line.quantity for line in order.lines)
    yield bool(order.lines), "has no lines"
    yield order.total_amount == total, f"the total is {order.total_amount}, its lines {total}"
    yield 0 <= order.discount_amount <= total, f"the discount is {order.discount_amount}"
    yield (
        order.payable_amount == order.total_amount - order.discount_amount,
        f"{order.payable_amount} are to be paid of {total} less {order.discount_amount}",
    )
    yield (
        order.coupon_id is not None or not order.discount_amount,
        "has a discount without a coupon",
    )
    yield _has_its_times(order), f"is {order.status} with times that say something else"
    yield (
        order.paid_at_ms is None or order.paid_at_ms < order.expires_at_ms,
        "was paid when its time had run out",
    )


def _has_its_times(order: Order) -> bool:
    is_paid = order.paid_at_ms is not None
    is_cancelled = order.cancelled_at_ms is not None
    return {
        OrderStatus.PENDING: not is_paid and not is_cancelled,
        OrderStatus.PAID: is_paid and not is_cancelled,
        OrderStatus.CANCELLED: is_cancelled,
    }.get(order.status, False)
