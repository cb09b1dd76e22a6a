"""The rules of what admins do: credits and pauses."""

from dataclasses import replace

import pytest

from domain.commands import ChargeBalance, CreditBalance, DefineCoupon, IssueCoupon, PauseCoupon
from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.events import BalanceCredited, CouponIssued, CouponPaused, Reason
from domain.state import Decision, Terms
from tests.worlds import (
    ANN,
    BOB,
    CODE,
    NOW_MS,
    command_id,
    copy,
    coupon,
    decide_untouched,
    reason_of,
    refusal_of,
    state_of,
    wallet,
)

CREDIT_ID = command_id(9)
LIMITED = Terms(NOW_MS, balance_max=100)
MADE = BalanceEntry(ANN, CREDIT_ID, EntryKind.CREDIT, 40, 90, NOW_MS - 1)


def credit(amount: int) -> CreditBalance:
    return CreditBalance(CREDIT_ID, ANN, amount, "ticket 812")


@pytest.mark.parametrize(("held", "amount", "leaves"), [(None, 100, 100), (40, 2, 42)])
def test_a_credit_grows_the_balance_and_says_that_it_is_one(
    held: int | None, amount: int, leaves: int
) -> None:
    state = state_of(None if held is None else wallet(held))
    entry = BalanceEntry(ANN, CREDIT_ID, EntryKind.CREDIT, amount, leaves, NOW_MS)
    assert decide_untouched(state, credit(amount), LIMITED) == Decision(
        BalanceCredited(ANN, amount, leaves), (Wallet(ANN, leaves), entry)
    )


def test_a_credit_past_the_maximum_changes_nothing() -> None:
    refusal = refusal_of(state_of(wallet(99)), credit(2), LIMITED)
    assert refusal.reason is Reason.BALANCE_LIMIT_EXCEEDED
    assert refusal.details == {"balance": 99, "balanceMax": 100}


def test_a_credit_that_was_made_is_told_again_and_changes_nothing() -> None:
    decision = decide_untouched(state_of(wallet(100), MADE), credit(40), LIMITED)
    assert decision == Decision(BalanceCredited(ANN, 40, 90))


@pytest.mark.parametrize("other", [replace(MADE, amount=41), replace(MADE, kind=EntryKind.CHARGE)])
def test_an_id_that_moved_other_money_is_refused(other: BalanceEntry) -> None:
    assert refusal_of(state_of(wallet(90), other), credit(40)).reason is Reason.CHARGE_EXISTS


def test_a_charge_is_not_told_a_credits_outcome() -> None:
    charge = ChargeBalance(CREDIT_ID, ANN, 40)
    assert refusal_of(state_of(wallet(90), MADE), charge).reason is Reason.CHARGE_EXISTS


def pause(*, paused: bool = True) -> PauseCoupon:
    return PauseCoupon(command_id(6), CODE, paused)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("paused", [True, False])
def test_a_coupon_is_paused_or_not_whatever_it_was(*, before: bool, paused: bool) -> None:
    stands = replace(coupon(issued=3), paused=before)
    becomes = replace(stands, paused=paused)
    decision = decide_untouched(state_of(stands), pause(paused=paused))
    assert decision == Decision(CouponPaused(becomes), (becomes,))


def test_what_is_not_there_cannot_be_paused() -> None:
    assert refusal_of(state_of(), pause()).reason is Reason.COUPON_NOT_FOUND


CLAIM = IssueCoupon(command_id(5), BOB, CODE)


def test_a_paused_coupon_issues_nothing_and_goes_on_with_the_next_number() -> None:
    state = state_of(coupon(issued=3))
    state.apply(decide_untouched(state, pause()).changes)
    assert refusal_of(state, CLAIM).reason is Reason.COUPON_PAUSED
    state.apply(decide_untouched(state, pause(paused=False)).changes)
    outcome = decide_untouched(state, CLAIM).outcome
    assert isinstance(outcome, CouponIssued)
    assert outcome.user_coupon.number == 4


def test_a_pause_is_told_before_what_it_hides_and_after_the_validity() -> None:
    held = state_of(replace(coupon(total=1, issued=1), paused=True), copy(user_id=BOB))
    assert reason_of(held, CLAIM) is Reason.COUPON_PAUSED
    over = replace(coupon(), paused=True, valid_until_ms=NOW_MS)
    assert reason_of(state_of(over), CLAIM) is Reason.COUPON_NOT_VALID_NOW


def test_new_terms_do_not_end_a_pause() -> None:
    state = state_of(replace(coupon(), paused=True))
    define = DefineCoupon(command_id(1), CODE, 500, 10, None, None)
    state.apply(decide_untouched(state, define).changes)
    kept = state.coupons.get(CODE)
    assert kept is not None
    assert (kept.paused, kept.total) == (True, 500)
