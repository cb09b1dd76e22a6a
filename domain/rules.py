"""The table of contents of the rules: which function decides which command."""

from collections.abc import Callable
from typing import Any

from domain import cancelling, catalog, commands, coupons, orders, wallet
from domain.state import Decision, State, Terms

RULES: dict[type, Callable[[State, Any, Terms], Decision]] = {
    commands.ChargeBalance: wallet.decide_charge_balance,
    commands.CreditBalance: wallet.decide_credit_balance,
    commands.IssueCoupon: coupons.decide_issue_coupon,
    commands.CreateOrder: orders.decide_create_order,
    commands.PayOrder: orders.decide_pay_order,
    commands.CancelOrder: cancelling.decide_cancel_order,
    commands.DefineProduct: catalog.decide_define_product,
    commands.RestockProduct: catalog.decide_restock_product,
    commands.DefineCoupon: coupons.decide_define_coupon,
    commands.PauseCoupon: coupons.decide_pause_coupon,
}


def decide(state: State, command: commands.Command, terms: Terms) -> Decision:
    """Decide one command. The state is only read; the caller applies the changes."""
    return RULES[type(command)](state, command, terms)
