"""Coupons, and the copies that users hold."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Coupon, UserCoupon
from domain.ids import CouponCode, CouponId, UserId
from domain.state import HeldCoupon, Rows
from storage.rows import Writes, reader_of
from storage.schema import coupons, user_coupons
from storage.sets import one_of

_coupon_row = reader_of(Coupon)
_copy_row = reader_of(UserCoupon)
_coupon_columns = [coupons.c[name] for name in Coupon.__dataclass_fields__]
_copy_columns = [user_coupons.c[name] for name in UserCoupon.__dataclass_fields__]
_coupons_by_code = sa.select(*_coupon_columns).where(one_of(coupons.c.coupon_code, "codes"))
_copies_of_users = (
    sa.select(*_copy_columns)
    .where(one_of(user_coupons.c.user_id, "user_ids"))
    .order_by(user_coupons.c.issued_at_ms, user_coupons.c.coupon_id)
)
_copies_held = sa.select(*_copy_columns).where(
    one_of(user_coupons.c.coupon_id, "coupon_ids"), one_of(user_coupons.c.user_id, "user_ids")
)
_terms = ("total", "issued", "discount_amount", "valid_from_ms", "valid_until_ms")


async def load_coupons(
    connection: AsyncConnection, codes: Iterable[CouponCode]
) -> Rows[CouponCode, Coupon]:
    """Load the coupons with these codes, those that exist."""
    listed = list(codes)
    if not listed:
        return Rows()
    rows = await connection.execute(_coupons_by_code, {"codes": listed})
    found = [Coupon(*row) for row in rows]
    return Rows({coupon.coupon_code: coupon for coupon in found})


async def load_user_coupons(
    connection: AsyncConnection, user_ids: Iterable[UserId], coupon_ids: Iterable[CouponId]
) -> Rows[HeldCoupon, UserCoupon]:
    """Load every copy that one of these users holds of one of these coupons."""
    users, ids = list(user_ids), list(coupon_ids)
    if not users or not ids:
        return Rows()
    rows = await connection.execute(_copies_held, {"user_ids": users, "coupon_ids": ids})
    found = [UserCoupon(*row) for row in rows]
    return Rows({(copy.user_id, copy.coupon_id): copy for copy in found})


def save_coupons(writes: Writes, rows: Rows[CouponCode, Coupon]) -> None:
    """Save new coupons, and changed terms and counts."""
    updated = [
        {"coupon_id": coupon.coupon_id, **{n: getattr(coupon, n) for n in _terms}}
        for coupon in rows.updated()
    ]
    writes.update(coupons, updated)
    writes.insert(coupons, map(_coupon_row, rows.added()))


def save_user_coupons(writes: Writes, rows: Rows[HeldCoupon, UserCoupon]) -> None:
    """Save newly issued copies, and those that were spent or came back."""
    moved = [
        {
            "user_id": copy.user_id,
            "coupon_id": copy.coupon_id,
            "used_at_ms": copy.used_at_ms,
            "order_id": copy.order_id,
        }
        for copy in rows.updated()
    ]
    writes.update(user_coupons, moved)
    writes.insert(user_coupons, map(_copy_row, rows.added()))


async def list_user_coupons(
    connection: AsyncConnection, user_ids: Sequence[UserId]
) -> dict[UserId, list[UserCoupon]]:
    """List the copies of each of these users in the order of their issue."""
    listed: dict[UserId, list[UserCoupon]] = {user_id: [] for user_id in user_ids}
    for row in await connection.execute(_copies_of_users, {"user_ids": user_ids}):
        copy = UserCoupon(*row)
        listed[copy.user_id].append(copy)
    return listed
