"""Coupons: issued first come, first served, and listed by holder."""

from aiohttp import web

from domain.entities import UserCoupon
from streams import wire
from streams.outcomes import Answer, moment, moment_or_none, receipt_of
from web import shapes
from web.command_path import submission_of
from web.edge import EDGE
from web.paging import Cursors, split
from web.problems import respond
from web.requests import read_body, read_users_page

_CURSORS = Cursors("coupons", tuple[int, str])


async def issue_coupon(request: web.Request) -> web.Response:
    """Issue one copy of a coupon to a user."""
    payload = await read_body(request, wire.IssueCoupon)
    edge = request.app[EDGE]
    submission = submission_of(request, payload)
    refusal = await edge.sold_out.find_refusal(submission)
    if refusal is not None:
        return respond(refusal)
    response = await edge.commands.submit(submission)
    assert isinstance(response.body, bytes)
    await edge.sold_out.note(payload.coupon_code, Answer(response.status, response.body))
    return response


async def list_coupons(request: web.Request) -> web.Response:
    """Answer a user's copies with their state."""
    user_id, page = read_users_page(request, _CURSORS)
    copies = await request.app[EDGE].reads.user_coupons.get(user_id) or []
    # One query answers many users at once; nobody holds so many that a page must be cut in it.
    left = [copy for copy in copies if page.after is None or _key(copy) > page.after]
    shown, last = split(left, page.limit)
    following = None if last is None else _CURSORS.write(_key(last))
    body = shapes.UserCoupons(user_id, [_show(copy) for copy in shown], following)
    return respond(Answer(200, shapes.encode(body)))


def _key(copy: UserCoupon) -> tuple[int, str]:
    return copy.issued_at_ms, copy.coupon_id


def _show(copy: UserCoupon) -> shapes.UserCoupon:
    return shapes.UserCoupon(
        user_coupon_id=copy.user_coupon_id,
        coupon_id=copy.coupon_id,
        coupon_code=copy.coupon_code,
        number=copy.number,
        discount_amount=copy.discount_amount,
        state="ISSUED" if copy.used_at_ms is None else "USED",
        issued_at=moment(copy.issued_at_ms),
        used_at=moment_or_none(copy.used_at_ms),
        order_id=copy.order_id,
        total=copy.total,
        receipt=receipt_of(copy),
    )
