"""Coupons, and the copies that users hold."""

from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Coupon, UserCoupon
from domain.ids import CouponCode, CouponId, OrderId, UserId
from domain.needs import Needs
from domain.state import HeldCoupon, Rows
from storage.lookups import Found, Lookups, looked_up
from storage.rows import Writes, reader_of
from storage.schema import coupons, orders, user_coupons
from storage.sets import one_of

_coupon_names, _coupon_row = reader_of(Coupon)
_copy_names, _copy_row = reader_of(UserCoupon)
_coupon_columns = [coupons.c[name] for name in _coupon_names]
_copy_columns = [user_coupons.c[name] for name in _copy_names]
_coupons_by_code = sa.select(*_coupon_columns).where(one_of(coupons.c.coupon_code, "codes"))
_copies_of_users = (
    sa.select(*_copy_columns)
    .where(one_of(user_coupons.c.user_id, "user_ids"))
    .order_by(user_coupons.c.issued_at_ms, user_coupons.c.coupon_id)
)
_copies_held = sa.select(*_copy_columns).where(
    one_of(user_coupons.c.coupon_id, "coupon_ids"), one_of(user_coupons.c.user_id, "copy_users")
)
_copies_named = sa.select(*_copy_columns).where(
    one_of(
        user_coupons.c.coupon_id,
        "coupon_ids",
        sa.select(coupons.c.coupon_id).where(one_of(coupons.c.coupon_code, "codes")),
        sa.select(orders.c.coupon_id).where(
            one_of(orders.c.order_id, "order_ids"), orders.c.coupon_id.is_not(None)
        ),
    ),
    one_of(user_coupons.c.user_id, "copy_users"),
)


async def load_coupons(
    connection: AsyncConnection, codes: Iterable[CouponCode]
) -> Rows[CouponCode, Coupon]:
    """Load the coupons with these codes, those that exist."""
    return await looked_up(connection, lambda lookups: ask_coupons(lookups, codes))


def ask_coupons(
    lookups: Lookups, codes: Iterable[CouponCode]
) -> Callable[[], Rows[CouponCode, Coupon]]:
    """Gather the look-up of coupons, see `load_coupons`."""
    rows = lookups.ask(_coupons_by_code, {"codes": list(codes)})
    return lambda: Rows({coupon.coupon_code: coupon for coupon in (Coupon(*r) for r in rows)})


async def load_user_coupons(
    connection: AsyncConnection, user_ids: Iterable[UserId], coupon_ids: Iterable[CouponId]
) -> Rows[HeldCoupon, UserCoupon]:
    """Load every copy that one of these users holds of one of these coupons."""
    named = {"copy_users": list(user_ids), "coupon_ids": list(coupon_ids)}

    def ask(lookups: Lookups) -> Callable[[], Rows[HeldCoupon, UserCoupon]]:
        rows = lookups.ask(_copies_held, named) if all(named.values()) else []
        return lambda: _copies(rows)

    return await looked_up(connection, ask)


def ask_named_copies(
    lookups: Lookups, needs: Needs, order_ids: Iterable[OrderId]
) -> Callable[[], Rows[HeldCoupon, UserCoupon]]:
    """Gather the look-up of all copies that a batch names: of these users and these coupons.

    A coupon may be named by its id, by its code, or by an order.
    """
    named = {
        "copy_users": list(needs.copies_by_user),
        "coupon_ids": list(needs.copies_by_coupon),
        "codes": list(needs.coupons),
        "order_ids": list(order_ids),
    }
    rows = lookups.ask(_copies_named, named) if needs.copies_by_user else []
    return lambda: _copies(rows)


def _copies(rows: Found) -> Rows[HeldCoupon, UserCoupon]:
    found = (UserCoupon(*row) for row in rows)
    return Rows({(copy.user_id, copy.coupon_id): copy for copy in found})


def save_coupons(writes: Writes, rows: Rows[CouponCode, Coupon]) -> None:
    """Save new coupons, and changed terms and counts."""
    writes.update(coupons, _coupon_names, map(_coupon_row, rows.updated()))
    writes.insert(coupons, _coupon_names, map(_coupon_row, rows.added()))


def save_user_coupons(writes: Writes, rows: Rows[HeldCoupon, UserCoupon]) -> None:
    """Save newly issued copies, and those that were spent or came back."""
    writes.update(user_coupons, _copy_names, map(_copy_row, rows.updated()))
    writes.insert(user_coupons, _copy_names, map(_copy_row, rows.added()))


async def list_user_coupons(
    connection: AsyncConnection, user_ids: Sequence[UserId]
) -> dict[UserId, list[UserCoupon]]:
    """List the copies of each of these users in the order of their issue."""
    listed: dict[UserId, list[UserCoupon]] = {user_id: [] for user_id in user_ids}
    for row in await connection.execute(_copies_of_users, {"user_ids": user_ids}):
        copy = UserCoupon(*row)
        listed[copy.user_id].append(copy)
    return listed
