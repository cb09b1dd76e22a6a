"""The rules of orders: a preview that reserves nothing, and its payment in one step."""

from collections.abc import Iterable
from dataclasses import replace

from domain.commands import CancelOrder, CreateOrder, PayOrder
from domain.entities import (
    BalanceEntry,
    EntryKind,
    Order,
    OrderLine,
    OrderStatus,
    Product,
    UserCoupon,
    Wallet,
)
from domain.events import OrderCreated, OrderPaid, Reason, Refusal, SaleRecorded
from domain.ids import OrderId, ProductId, UserId
from domain.state import Change, Decision, State, Terms


def decide_create_order(state: State, command: CreateOrder, terms: Terms) -> Decision:
    """Price an order at today's prices.

    Refusals, in this order: the order exists, a product is unknown, a product's stock is too
    low, the coupon is not held, the coupon is spent.
    """
    order_id = OrderId(command.command_id)
    if state.orders.get(order_id) is not None:
        message = "An order with this id exists already."
        return Decision(Refusal(Reason.ORDER_EXISTS, message, {"orderId": order_id}))
    wanted = [(line.product_id, line.quantity) for line in command.lines]
    copy = _held_copy(state, command)
    refusal = (
        _unknown_product(state, wanted)
        or _short_stock(state, wanted)
        or (copy if isinstance(copy, Refusal) else None)
    )
    if refusal is not None:
        return Decision(refusal)
    assert not isinstance(copy, Refusal)
    order = _price(state, command, copy, terms)
    return Decision(OrderCreated(order), (order,))


def _price(state: State, command: CreateOrder, copy: UserCoupon | None, terms: Terms) -> Order:
    lines = tuple(
        OrderLine(line.product_id, product.price, line.quantity)
        for line in command.lines
        if (product := state.products.get(line.product_id)) is not None
    )
    total = sum(line.unit_price * line.quantity for line in lines)
    discount = min(copy.discount_amount, total) if copy else 0
    return Order(
        order_id=OrderId(command.command_id),
        user_id=command.user_id,
        lines=lines,
        status=OrderStatus.PENDING,
        total_amount=total,
        discount_amount=discount,
        payable_amount=total - discount,
        coupon_id=command.coupon_id,
        created_at_ms=terms.now_ms,
        expires_at_ms=terms.now_ms + terms.order_expiry_ms,
    )


def decide_pay_order(state: State, command: PayOrder, terms: Terms) -> Decision:
    """Pay an order at its previewed prices: balance, stock, coupon and status move together.

    Refusals, in this order: unknown or another user's, already paid, cancelled, expired, balance
    too low, coupon spent, stock gone.
    """
    order = named_order(state, command)
    if isinstance(order, Refusal):
        return Decision(order)
    refusal = (
        _not_payable(order, terms)
        or _short_balance(state, order)
        or _spent_coupon(state, order)
        or _short_stock(state, [(line.product_id, line.quantity) for line in order.lines])
    )
    if refusal is not None:
        return Decision(refusal)
    return _pay(state, order, command, terms)


def named_order(state: State, command: PayOrder | CancelOrder) -> Order | Refusal:
    """Return the order that its user names, or why there is none: another user's is unknown."""
    order = state.orders.get(command.order_id)
    if order is None or order.user_id != command.user_id:
        details: dict[str, int | str] = {"orderId": command.order_id}
        return Refusal(Reason.ORDER_NOT_FOUND, "There is no such order.", details)
    return order


def _pay(state: State, order: Order, command: PayOrder, terms: Terms) -> Decision:
    paid = replace(order, status=OrderStatus.PAID, paid_at_ms=terms.now_ms)
    changes: list[Change] = [paid]
    wallet = state.wallets.get(order.user_id)
    balance = wallet.balance - order.payable_amount if wallet else None
    if balance is not None and order.payable_amount:
        changes += _deduct(order, command, balance, terms)
    changes += take_stock(state, order, 1)
    copy = copy_of(state, order)
    if copy is not None:
        changes.append(replace(copy, used_at_ms=terms.now_ms, order_id=order.order_id))
    outcome = OrderPaid(paid, balance)
    return Decision(outcome, tuple(changes), (outcome, *sales_of(paid, 1)))


def _deduct(order: Order, command: PayOrder, balance: int, terms: Terms) -> list[Change]:
    entry = BalanceEntry(
        order.user_id,
        command.command_id,
        EntryKind.PAYMENT,
        -order.payable_amount,
        balance,
        terms.now_ms,
    )
    return [Wallet(order.user_id, balance), entry]


def take_stock(state: State, order: Order, sign: int) -> list[Product]:
    """Return an order's products with its pieces taken (1), or put back (-1)."""
    taken = []
    for line in order.lines:
        product = state.products.get(line.product_id)
        assert product is not None
        taken.append(replace(product, stock=product.stock - sign * line.quantity))
    return taken


def sales_of(paid: Order, sign: int) -> list[SaleRecorded]:
    """Return the sales of a paid order (1), or what takes them back (-1).

    Both have the time of the payment: they count in the same hour.
    """
    assert paid.paid_at_ms is not None
    return [
        SaleRecorded(paid.order_id, line.product_id, sign * line.quantity, paid.paid_at_ms)
        for line in paid.lines
    ]


def copy_of(state: State, order: Order) -> UserCoupon | None:
    """Return the user's copy of the order's coupon, spent or not; None where it names none."""
    if order.coupon_id is None:
        return None
    return state.user_coupons.get((order.user_id, order.coupon_id))


def _held_copy(state: State, command: CreateOrder) -> UserCoupon | Refusal | None:
    """Return the user's unspent copy of the order's coupon, or why there is none to use."""
    if command.coupon_id is None:
        return None
    copy = state.user_coupons.get((command.user_id, command.coupon_id))
    details: dict[str, int | str] = {"couponId": command.coupon_id}
    if copy is None:
        message = "The user does not hold this coupon."
        return Refusal(Reason.COUPON_NOT_HELD, message, details)
    if copy.used_at_ms is not None:
        return Refusal(Reason.COUPON_ALREADY_USED, "The coupon is spent.", details)
    return copy


def _not_payable(order: Order, terms: Terms) -> Refusal | None:
    status = order.status_at(terms.now_ms)
    details: dict[str, int | str] = {"orderId": order.order_id}
    if status is OrderStatus.PAID:
        return Refusal(Reason.ORDER_ALREADY_PAID, "The order is paid already.", details)
    if status is OrderStatus.CANCELLED:
        return Refusal(Reason.ORDER_CANCELLED, "The order is cancelled.", details)
    return refuse_expired(order, terms)


def refuse_expired(order: Order, terms: Terms) -> Refusal | None:
    """Refuse an order that waited for its payment too long."""
    if order.status_at(terms.now_ms) is not OrderStatus.EXPIRED:
        return None
    details: dict[str, int | str] = {"orderId": order.order_id}
    return Refusal(Reason.ORDER_EXPIRED, "The order's time to pay has run out.", details)


def _short_balance(state: State, order: Order) -> Refusal | None:
    balance = _balance_of(state, order.user_id)
    if balance >= order.payable_amount:
        return None
    return Refusal(
        Reason.INSUFFICIENT_BALANCE,
        f"The balance of {balance} won is below the {order.payable_amount} won to pay.",
        {"balance": balance, "payableAmount": order.payable_amount},
    )


def _balance_of(state: State, user_id: UserId) -> int:
    wallet = state.wallets.get(user_id)
    return wallet.balance if wallet else 0


def _spent_coupon(state: State, order: Order) -> Refusal | None:
    copy = copy_of(state, order)
    if copy is None or copy.used_at_ms is None:
        return None
    details: dict[str, int | str] = {"couponId": copy.coupon_id}
    return Refusal(Reason.COUPON_ALREADY_USED, "The coupon is spent.", details)


def _unknown_product(state: State, wanted: Iterable[tuple[ProductId, int]]) -> Refusal | None:
    for product_id, _ in wanted:
        if state.products.get(product_id) is None:
            message = f"There is no product {product_id}."
            return Refusal(Reason.PRODUCT_NOT_FOUND, message, {"productId": product_id})
    return None


def _short_stock(state: State, wanted: Iterable[tuple[ProductId, int]]) -> Refusal | None:
    for product_id, quantity in wanted:
        product = state.products.get(product_id)
        if product is not None and product.stock < quantity:
            details: dict[str, int | str] = {
                "productId": product_id,
                "requested": quantity,
                "stock": product.stock,
            }
            message = f"Product {product_id} has {product.stock} pieces left."
            return Refusal(Reason.OUT_OF_STOCK, message, details)
    return None
