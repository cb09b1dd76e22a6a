"""The rule of cancelling: an order is taken back, with all that its payment took."""

from dataclasses import replace

from domain.commands import CancelOrder
from domain.entities import (
    BalanceEntry,
    EntryKind,
    Order,
    OrderStatus,
    UserCoupon,
    Wallet,
)
from domain.events import OrderCancelled, Reason, Refusal
from domain.orders import copy_of, named_order, refuse_expired, sales_of, take_stock
from domain.state import Change, Decision, State, Terms


def decide_cancel_order(state: State, command: CancelOrder, terms: Terms) -> Decision:
    """Cancel an order. One that still waits holds nothing, and gives nothing back.

    Of a paid one all returns: the paid amount to the balance, the pieces to the stock, the copy
    to its holder; its sales are taken back as of the time of the payment. No bound refuses what
    returns: the balance may pass its maximum, for the money is the user's, and the stock may pass
    `STOCK_MAX`, for the pieces are there. The copy is unspent also when its coupon's validity has
    run out: that bounds the issue of copies, not their use.

    Refusals, in this order: unknown or another user's, already cancelled, expired (never paid).
    """
    order = named_order(state, command)
    if isinstance(order, Refusal):
        return Decision(order)
    refusal = _refuse_cancelled(order) or refuse_expired(order, terms)
    if refusal is not None:
        return Decision(refusal)
    if order.paid_at_ms is None:
        return _cancel(state, order, terms)
    return _cancel_paid(state, order, command, terms)


def _refuse_cancelled(order: Order) -> Refusal | None:
    if order.status is not OrderStatus.CANCELLED:
        return None
    message = "The order is cancelled already."
    return Refusal(Reason.ORDER_ALREADY_CANCELLED, message, {"orderId": order.order_id})


def _cancel(state: State, order: Order, terms: Terms) -> Decision:
    wallet = state.wallets.get(order.user_id)
    cancelled = _cancelled(order, terms)
    outcome = OrderCancelled(cancelled, 0, wallet.balance if wallet else None)
    return Decision(outcome, (cancelled,), (outcome,))


def _cancel_paid(state: State, order: Order, command: CancelOrder, terms: Terms) -> Decision:
    cancelled = _cancelled(order, terms)
    wallet = state.wallets.get(order.user_id)
    balance = wallet.balance + order.payable_amount if wallet else None
    changes: list[Change] = [cancelled]
    if order.payable_amount:
        assert balance is not None
        changes += _refund(order, command, balance, terms)
    changes += take_stock(state, order, -1)
    changes += _unspend(state, order)
    outcome = OrderCancelled(cancelled, order.payable_amount, balance)
    return Decision(outcome, tuple(changes), (outcome, *sales_of(order, -1)))


def _cancelled(order: Order, terms: Terms) -> Order:
    return replace(order, status=OrderStatus.CANCELLED, cancelled_at_ms=terms.now_ms)


def _refund(order: Order, command: CancelOrder, balance: int, terms: Terms) -> list[Change]:
    entry = BalanceEntry(
        order.user_id,
        command.command_id,
        EntryKind.REFUND,
        order.payable_amount,
        balance,
        terms.now_ms,
    )
    return [Wallet(order.user_id, balance), entry]


def _unspend(state: State, order: Order) -> list[UserCoupon]:
    copy = copy_of(state, order)
    return [replace(copy, used_at_ms=None, order_id=None)] if copy else []
