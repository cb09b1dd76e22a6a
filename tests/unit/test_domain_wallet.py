"""The rules of balances."""

from dataclasses import replace

import pytest

from domain.commands import ChargeBalance
from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.events import BalanceCharged, Reason
from domain.state import Decision, Terms
from tests.worlds import (
    ANN,
    BOB,
    INT64_MAX,
    NOW_MS,
    command_id,
    decide_untouched,
    refusal_of,
    state_of,
    wallet,
)

CHARGE_ID = command_id(9)
LIMITED = Terms(NOW_MS, balance_max=100)


def charge(amount: int) -> ChargeBalance:
    return ChargeBalance(CHARGE_ID, ANN, amount)


#   held   amount   leaves          (the maximum is 100; None: there is no wallet yet)
ACCEPTED = [
    (None, 1, 1),
    (None, 99, 99),
    (None, 100, 100),
    (0, 100, 100),
    (1, 99, 100),
    (99, 1, 100),
    (40, 2, 42),
]


@pytest.mark.parametrize(("held", "amount", "leaves"), ACCEPTED)
def test_a_charge_up_to_the_maximum_grows_the_balance(
    held: int | None, amount: int, leaves: int
) -> None:
    state = state_of(None if held is None else wallet(held))
    entry = BalanceEntry(ANN, CHARGE_ID, EntryKind.CHARGE, amount, leaves, NOW_MS)
    assert decide_untouched(state, charge(amount), LIMITED) == Decision(
        BalanceCharged(ANN, amount, leaves), (Wallet(ANN, leaves), entry)
    )


#   held   amount            (the maximum is 100)
REFUSED = [
    (None, 101),
    (0, 101),
    (1, 100),
    (99, 2),
    (100, 1),
    (None, INT64_MAX),
    (100, INT64_MAX),
]


@pytest.mark.parametrize(("held", "amount"), REFUSED)
def test_a_charge_past_the_maximum_changes_nothing(held: int | None, amount: int) -> None:
    state = state_of(None if held is None else wallet(held))
    refusal = refusal_of(state, charge(amount), LIMITED)
    assert refusal.reason is Reason.BALANCE_LIMIT_EXCEEDED
    assert refusal.details == {"balance": held or 0, "balanceMax": 100}


def test_a_balance_above_a_lowered_maximum_stays_and_grows_no_more() -> None:
    assert refusal_of(state_of(wallet(500)), charge(1), LIMITED).details["balance"] == 500


def test_the_highest_maximum_still_fits_a_signed_64_bit_column() -> None:
    terms = Terms(NOW_MS, balance_max=2**62)
    decision = decide_untouched(state_of(wallet(2**62 - 1)), charge(1), terms)
    assert isinstance(decision.outcome, BalanceCharged)
    assert decision.outcome.balance == 2**62 <= INT64_MAX
    refusal_of(state_of(wallet(2**62 - 1)), charge(INT64_MAX), terms)


def test_a_charge_touches_nobody_elses_wallet() -> None:
    state = state_of(wallet(100, BOB))
    decision = decide_untouched(state, charge(100), LIMITED)
    state.apply(decision.changes)
    assert state.wallets.get(BOB) == wallet(100, BOB)
    assert state.wallets.get(ANN) == wallet(100)


def test_every_charge_leaves_one_row_of_history() -> None:
    state = state_of()
    for number, amount in enumerate((10, 20, 30)):
        command = ChargeBalance(command_id(number), ANN, amount)
        state.apply(decide_untouched(state, command, LIMITED).changes)
    assert [(e.amount, e.balance_after) for e in state.balance_entries] == [
        (10, 10),
        (20, 30),
        (30, 60),
    ]


MADE = BalanceEntry(ANN, CHARGE_ID, EntryKind.CHARGE, 40, 90, NOW_MS - 1)


def test_a_charge_that_was_made_is_told_again_and_changes_nothing() -> None:
    # Its command is older than ids are remembered; the maximum has been reached since.
    decision = decide_untouched(state_of(wallet(100), MADE), charge(40), LIMITED)
    assert decision == Decision(BalanceCharged(ANN, 40, 90))


@pytest.mark.parametrize(
    "other", [replace(MADE, amount=41), replace(MADE, kind=EntryKind.PAYMENT, amount=40)]
)
def test_an_id_that_moved_other_money_is_refused_before_the_maximum(other: BalanceEntry) -> None:
    refusal = refusal_of(state_of(wallet(100), other), charge(40), LIMITED)
    assert refusal.reason is Reason.CHARGE_EXISTS


def test_the_same_id_of_another_user_is_another_charge() -> None:
    state = state_of(replace(MADE, user_id=BOB))
    assert decide_untouched(state, charge(40), LIMITED).changes
