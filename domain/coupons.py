"""The rules of coupons: first come, first served, numbered without a gap."""

from dataclasses import replace

from domain.commands import DefineCoupon, IssueCoupon, PauseCoupon
from domain.entities import Coupon, UserCoupon
from domain.events import CouponDefined, CouponIssued, CouponPaused, Reason, Refusal
from domain.ids import CouponId
from domain.state import Decision, State, Terms


def decide_issue_coupon(state: State, command: IssueCoupon, terms: Terms) -> Decision:
    """Issue the next number of a coupon.

    Refusals, in this order: unknown code, outside its validity, paused, already issued to this
    user, sold out. A user who holds a copy is told so even when the coupon has sold out since.
    """
    code = {"couponCode": command.coupon_code}
    coupon = state.coupons.get(command.coupon_code)
    if coupon is None:
        return Decision(Refusal(Reason.COUPON_NOT_FOUND, "There is no such coupon.", {**code}))
    if not coupon.is_valid_at(terms.now_ms):
        message = "The coupon is not issued at this time."
        return Decision(Refusal(Reason.COUPON_NOT_VALID_NOW, message, {**code}))
    if coupon.paused:
        message = "The coupon is paused."
        return Decision(Refusal(Reason.COUPON_PAUSED, message, {**code}))
    if state.user_coupons.get((command.user_id, coupon.coupon_id)) is not None:
        message = "The user holds this coupon already."
        return Decision(Refusal(Reason.COUPON_ALREADY_ISSUED, message, {**code}))
    if coupon.issued >= coupon.total:
        message = f"All {coupon.total} copies are issued."
        return Decision(Refusal(Reason.COUPON_SOLD_OUT, message, {**code}))
    return _issue(coupon, command, terms)


def _issue(coupon: Coupon, command: IssueCoupon, terms: Terms) -> Decision:
    number = coupon.issued + 1
    copy = UserCoupon(
        user_coupon_id=command.command_id,
        user_id=command.user_id,
        coupon_id=coupon.coupon_id,
        coupon_code=coupon.coupon_code,
        number=number,
        discount_amount=coupon.discount_amount,
        issued_at_ms=terms.now_ms,
        total=coupon.total,
        log_epoch=terms.place.epoch,
        log_partition=terms.place.partition,
        log_offset=terms.place.offset,
    )
    return Decision(CouponIssued(copy), (replace(coupon, issued=number), copy))


def decide_define_coupon(state: State, command: DefineCoupon, _terms: Terms) -> Decision:
    """Announce a coupon or change its terms; its total cannot fall below what is issued.

    Copies that are out keep the discount they were issued with, and a paused one stays paused.
    """
    known = state.coupons.get(command.coupon_code)
    issued = known.issued if known else 0
    if command.total < issued:
        details: dict[str, int | str] = {"couponCode": command.coupon_code, "issued": issued}
        message = f"{issued} copies are issued already."
        return Decision(Refusal(Reason.COUPON_TOTAL_BELOW_ISSUED, message, details))
    coupon = Coupon(
        coupon_id=known.coupon_id if known else CouponId(command.command_id),
        coupon_code=command.coupon_code,
        total=command.total,
        issued=issued,
        discount_amount=command.discount_amount,
        valid_from_ms=command.valid_from_ms,
        valid_until_ms=command.valid_until_ms,
        paused=known.paused if known else False,
    )
    return Decision(CouponDefined(coupon), (coupon,))


def decide_pause_coupon(state: State, command: PauseCoupon, _terms: Terms) -> Decision:
    """Pause a coupon, or end its pause; refused where there is no such coupon.

    One that is so already stays so, and that is a success: nobody needs to look first.
    """
    coupon = state.coupons.get(command.coupon_code)
    if coupon is None:
        details: dict[str, int | str] = {"couponCode": command.coupon_code}
        return Decision(Refusal(Reason.COUPON_NOT_FOUND, "There is no such coupon.", details))
    paused = replace(coupon, paused=command.paused)
    return Decision(CouponPaused(paused), (paused,))
