"""When an issue may be refused without the log: only where the rule, asked now, says sold out."""

import msgspec
import pytest

from domain.commands import IssueCoupon
from domain.coupons import decide_issue_coupon
from domain.entities import Coupon, UserCoupon
from streams.outcomes import answer
from tests.worlds import ANN, BOB, CODE, NOW_MS, TERMS, command_id, copy, coupon, state_of
from web.sold_out import CLOCK_MS_MAX, refuse_sold_out

ISSUE = IssueCoupon(command_id(9), ANN, CODE)
SOON = NOW_MS + CLOCK_MS_MAX
JUST = NOW_MS - CLOCK_MS_MAX


@pytest.mark.parametrize(
    ("rows", "is_refused"),
    [
        ([coupon(issued=100)], True),
        ([coupon(issued=100), copy(user_id=BOB)], True),
        ([coupon(issued=99)], False),
        ([], False),
        ([coupon(issued=100), copy()], False),
        #                                  valid           the two clocks: |JUST . NOW . SOON|
        ([coupon(issued=100, valid_until_ms=JUST)], False),
        ([coupon(issued=100, valid_until_ms=SOON)], False),  # one clock says it is over
        ([coupon(issued=100, valid_until_ms=SOON + 1)], True),
        ([coupon(issued=100, valid_from_ms=JUST + 1)], False),  # one says it has not begun
        ([coupon(issued=100, valid_from_ms=JUST)], True),
    ],
)
def test_only_a_coupon_that_is_sold_out_by_every_clock_is_refused_at_once(
    rows: list[Coupon | UserCoupon], is_refused: bool
) -> None:
    assert (refuse_sold_out(state_of(*rows), ISSUE, NOW_MS) is not None) == is_refused


def test_the_refusal_is_the_one_that_the_log_would_have_brought() -> None:
    state = state_of(coupon(issued=100))
    refusal = refuse_sold_out(state, ISSUE, NOW_MS)
    assert refusal == answer(decide_issue_coupon(state, ISSUE, TERMS).outcome)
    assert msgspec.json.decode(refusal.body)["code"] == "COUPON_SOLD_OUT"
