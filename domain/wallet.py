"""The rules of balances: what puts money into one from outside."""

from domain.commands import ChargeBalance, CreditBalance
from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.events import BalanceCharged, BalanceCredited, Reason, Refusal
from domain.state import Decision, State, Terms


def decide_charge_balance(state: State, command: ChargeBalance, terms: Terms) -> Decision:
    """Charge a balance, up to the maximum; a first charge makes the wallet.

    Refusals, in this order: another movement has this id, the maximum would be exceeded. A charge
    that was made under this id before is told again and changes nothing: its command may be
    older than ids are remembered, but money does not move twice.
    """
    added = _add(state, command, EntryKind.CHARGE, terms)
    if isinstance(added, Refusal):
        return Decision(added)
    told = BalanceCharged(command.user_id, added.amount, added.balance_after)
    return Decision(told, _changes(state, added))


def decide_credit_balance(state: State, command: CreditBalance, terms: Terms) -> Decision:
    """Credit a balance, by the rules of a charge: the same refusals, once under one id."""
    added = _add(state, command, EntryKind.CREDIT, terms)
    if isinstance(added, Refusal):
        return Decision(added)
    told = BalanceCredited(command.user_id, added.amount, added.balance_after)
    return Decision(told, _changes(state, added))


def _add(
    state: State, command: ChargeBalance | CreditBalance, kind: EntryKind, terms: Terms
) -> BalanceEntry | Refusal:
    """Return the movement of this command: one of before, a new one, or why there is none."""
    before = state.moved.get((command.user_id, command.command_id))
    if before is not None:
        if before.kind is not kind or before.amount != command.amount:
            return Refusal(Reason.CHARGE_EXISTS, "Another movement of the balance has this id.")
        return before
    wallet = state.wallets.get(command.user_id)
    held = wallet.balance if wallet else 0
    balance = held + command.amount
    if balance > terms.balance_max:
        return Refusal(
            Reason.BALANCE_LIMIT_EXCEEDED,
            f"The balance may not exceed {terms.balance_max} won.",
            {"balance": held, "balanceMax": terms.balance_max},
        )
    return BalanceEntry(
        command.user_id, command.command_id, kind, command.amount, balance, terms.now_ms
    )


def _changes(state: State, entry: BalanceEntry) -> tuple[Wallet, BalanceEntry] | tuple[()]:
    """Return what a movement changes: nothing where it was made before."""
    if (entry.user_id, entry.command_id) in state.moved:
        return ()
    return Wallet(entry.user_id, entry.balance_after), entry
