"""The rules of balances."""

from domain.commands import ChargeBalance
from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.events import BalanceCharged, Reason, Refusal
from domain.state import Decision, State, Terms


def decide_charge_balance(state: State, command: ChargeBalance, terms: Terms) -> Decision:
    """Charge a balance, up to the maximum; a first charge makes the wallet.

    Refusals, in this order: another movement has this id, the maximum would be exceeded. A charge
    that was made under this id before is told again and changes nothing: its command may be
    older than ids are remembered, but money does not move twice.
    """
    before = state.moved.get((command.user_id, command.command_id))
    if before is not None:
        return Decision(_tell_again(before, command))
    wallet = state.wallets.get(command.user_id)
    held = wallet.balance if wallet else 0
    balance = held + command.amount
    if balance > terms.balance_max:
        return Decision(
            Refusal(
                Reason.BALANCE_LIMIT_EXCEEDED,
                f"The balance may not exceed {terms.balance_max} won.",
                {"balance": held, "balanceMax": terms.balance_max},
            )
        )
    entry = BalanceEntry(
        command.user_id,
        command.command_id,
        EntryKind.CHARGE,
        command.amount,
        balance,
        terms.now_ms,
    )
    return Decision(
        BalanceCharged(command.user_id, command.amount, balance),
        (Wallet(command.user_id, balance), entry),
    )


def _tell_again(before: BalanceEntry, command: ChargeBalance) -> BalanceCharged | Refusal:
    if before.kind is not EntryKind.CHARGE or before.amount != command.amount:
        return Refusal(Reason.CHARGE_EXISTS, "Another movement of the balance has this id.")
    return BalanceCharged(before.user_id, before.amount, before.balance_after)
