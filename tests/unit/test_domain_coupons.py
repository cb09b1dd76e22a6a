"""The rules of coupons: who gets a copy, which number, and when not."""

from dataclasses import replace

import pytest

from domain.commands import DefineCoupon, IssueCoupon
from domain.entities import Coupon, UserCoupon
from domain.events import CouponDefined, CouponIssued, Reason
from domain.ids import CouponId, UserId
from domain.state import Decision, LogPlace, Terms
from tests.worlds import (
    ANN,
    BOB,
    CODE,
    COUPON_ID,
    INT64_MAX,
    NOW_MS,
    TERMS,
    command_id,
    copy,
    coupon,
    decide_untouched,
    reason_of,
    refusal_of,
    state_of,
)

CLAIM = IssueCoupon(command_id(5), BOB, CODE)


def test_a_claim_is_given_the_next_number() -> None:
    held = UserCoupon(CLAIM.command_id, BOB, COUPON_ID, CODE, 42, 5_000, NOW_MS)
    given = replace(held, total=100, log_epoch=1, log_partition=2, log_offset=3)
    terms = Terms(NOW_MS, place=LogPlace(1, 2, 3))
    assert decide_untouched(state_of(coupon(issued=41)), CLAIM, terms) == Decision(
        CouponIssued(given), (coupon(issued=42), given)
    )


def test_claims_are_numbered_from_one_without_a_gap_until_none_is_left() -> None:
    state = state_of(coupon(total=3))
    numbers = []
    for user in range(1, 6):
        decision = decide_untouched(state, IssueCoupon(command_id(user), UserId(user), CODE))
        state.apply(decision.changes)
        if isinstance(decision.outcome, CouponIssued):
            numbers.append(decision.outcome.user_coupon.number)
    assert numbers == [1, 2, 3]
    assert state.coupons.get(CODE) == coupon(total=3, issued=3)


#   what stands                                            refused for
PRECEDENCE = [
    ("no coupon", Reason.COUPON_NOT_FOUND),
    ("over, held, sold out", Reason.COUPON_NOT_VALID_NOW),
    ("over, held", Reason.COUPON_NOT_VALID_NOW),
    ("over, sold out", Reason.COUPON_NOT_VALID_NOW),
    ("over", Reason.COUPON_NOT_VALID_NOW),
    ("held, sold out", Reason.COUPON_ALREADY_ISSUED),
    ("held", Reason.COUPON_ALREADY_ISSUED),
    ("spent, sold out", Reason.COUPON_ALREADY_ISSUED),
    ("sold out", Reason.COUPON_SOLD_OUT),
]


@pytest.mark.parametrize(("stands", "reason"), PRECEDENCE)
def test_refusals_of_a_claim_have_this_order(stands: str, reason: Reason) -> None:
    offer = coupon(
        issued=100 if "sold out" in stands else 40,
        valid_until_ms=NOW_MS if "over" in stands else None,
    )
    held = copy(used_at_ms=NOW_MS if "spent" in stands else None, user_id=BOB)
    state = state_of(
        None if stands == "no coupon" else offer,
        held if "held" in stands or "spent" in stands else None,
    )
    refusal = refusal_of(state, CLAIM)
    assert (refusal.reason, refusal.details) == (reason, {"couponCode": CODE})


#    from          until         issued at NOW_MS?
VALIDITY = [
    (None, None, True),
    (NOW_MS, None, True),
    (NOW_MS + 1, None, False),
    (NOW_MS - 1, None, True),
    (None, NOW_MS, False),
    (None, NOW_MS + 1, True),
    (None, NOW_MS - 1, False),
    (NOW_MS, NOW_MS, False),
    (NOW_MS, NOW_MS + 1, True),
    (NOW_MS - 1, NOW_MS, False),
    (NOW_MS + 1, NOW_MS - 1, False),
]


@pytest.mark.parametrize(("start", "end", "issued"), VALIDITY)
def test_the_first_millisecond_counts_and_the_last_does_not(
    start: int | None, end: int | None, issued: bool
) -> None:
    state = state_of(coupon(valid_from_ms=start, valid_until_ms=end))
    outcome = decide_untouched(state, CLAIM).outcome
    assert isinstance(outcome, CouponIssued) is issued
    if not issued:
        assert reason_of(state, CLAIM) is Reason.COUPON_NOT_VALID_NOW


def test_a_coupon_of_none_is_sold_out_from_the_start() -> None:
    assert reason_of(state_of(coupon(total=0)), CLAIM) is Reason.COUPON_SOLD_OUT


def test_another_users_copy_is_not_in_the_way() -> None:
    outcome = decide_untouched(state_of(coupon(issued=1), copy(user_id=ANN)), CLAIM).outcome
    assert isinstance(outcome, CouponIssued)


def define(total: int = 100, discount: int = 5_000) -> DefineCoupon:
    return DefineCoupon(command_id(6), CODE, total, discount, NOW_MS, NOW_MS + 1)


def test_a_new_coupon_takes_its_id_from_the_command_and_has_no_copy_out() -> None:
    announced = Coupon(CouponId(define().command_id), CODE, 100, 0, 5_000, NOW_MS, NOW_MS + 1)
    assert decide_untouched(state_of(), define()) == Decision(
        CouponDefined(announced), (announced,)
    )


def test_new_terms_keep_the_coupons_id_and_count() -> None:
    state = state_of(coupon(total=100, issued=40))
    outcome = decide_untouched(state, define(total=50, discount=1)).outcome
    assert outcome == CouponDefined(Coupon(COUPON_ID, CODE, 50, 40, 1, NOW_MS, NOW_MS + 1))


#   issued   total   refused
TOTALS = [(0, 0, False), (40, 41, False), (40, 40, False), (40, 39, True), (40, 0, True)]


@pytest.mark.parametrize(("issued", "total", "refused"), TOTALS)
def test_a_total_cannot_fall_below_what_is_issued(issued: int, total: int, refused: bool) -> None:
    state = state_of(coupon(issued=issued))
    outcome = decide_untouched(state, define(total=total)).outcome
    assert isinstance(outcome, CouponDefined) is not refused
    if refused:
        refusal = refusal_of(state, define(total=total))
        assert refusal.reason is Reason.COUPON_TOTAL_BELOW_ISSUED
        assert refusal.details == {"couponCode": CODE, "issued": issued}


def test_copies_that_are_out_keep_their_discount() -> None:
    state = state_of(coupon())
    first = decide_untouched(state, CLAIM)
    state.apply(first.changes)
    state.apply(decide_untouched(state, define(discount=1)).changes)
    held = state.user_coupons.get((BOB, COUPON_ID))
    assert held is not None
    assert held.discount_amount == 5_000


def test_the_largest_discount_fits() -> None:
    outcome = decide_untouched(state_of(), define(discount=INT64_MAX)).outcome
    assert isinstance(outcome, CouponDefined)
    assert outcome.coupon.discount_amount == INT64_MAX


def test_no_time_but_the_records_decides() -> None:
    later = Terms(NOW_MS + 1)
    state = state_of(coupon(valid_from_ms=NOW_MS + 1))
    assert reason_of(state, CLAIM, TERMS) is Reason.COUPON_NOT_VALID_NOW
    assert isinstance(decide_untouched(state, CLAIM, later).outcome, CouponIssued)
