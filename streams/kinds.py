"""The table of command types: where each belongs, what its key is, and how it is converted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain import commands
from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId
from streams import wire
from streams.outcomes import epoch_ms


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of command is read: its topic's role, its key, and its conversion."""

    topic: str
    shape: type[wire.Shape]
    key: Callable[[Any], str]
    convert: Callable[[CommandId, Any], commands.Command]
    is_admin: bool = False
    """Whether it takes an admin to give it; what came of it is in the list of admin actions."""

    @property
    def name(self) -> str:
        """The type as the envelope names it."""
        return self.shape.__name__


def _user_key(payload: Any) -> str:
    return str(payload.user_id)


def _code_key(payload: Any) -> str:
    return str(payload.coupon_code)


def _product_key(payload: Any) -> str:
    return str(payload.product_id)


def _charge_balance(command_id: CommandId, p: wire.ChargeBalance) -> commands.Command:
    return commands.ChargeBalance(command_id, UserId(p.user_id), p.amount)


def _credit_balance(command_id: CommandId, p: wire.CreditBalance) -> commands.Command:
    return commands.CreditBalance(command_id, UserId(p.user_id), p.amount, p.reason)


def _pause_coupon(command_id: CommandId, p: wire.PauseCoupon) -> commands.Command:
    return commands.PauseCoupon(command_id, CouponCode(p.coupon_code), p.paused)


def _issue_coupon(command_id: CommandId, p: wire.IssueCoupon) -> commands.Command:
    return commands.IssueCoupon(command_id, UserId(p.user_id), CouponCode(p.coupon_code))


def _create_order(command_id: CommandId, p: wire.CreateOrder) -> commands.Command:
    lines = tuple(
        commands.LineRequest(ProductId(product_id), quantity)
        for product_id, quantity in merge_items(p.items).items()
    )
    coupon_id = None if p.coupon_id is None else CouponId(p.coupon_id)
    return commands.CreateOrder(command_id, UserId(p.user_id), lines, coupon_id)


def merge_items(items: list[wire.OrderItem]) -> dict[int, int]:
    """Merge the lines of one product; quantities by product, in order of first mention.

    Raises ValueError where the merged quantity is past what one line may have.
    """
    merged: dict[int, int] = {}
    for item in items:
        merged[item.product_id] = merged.get(item.product_id, 0) + item.quantity
        if merged[item.product_id] > 10_000:
            message = f"Expected at most 10000 pieces of product {item.product_id} - at `$.items`"
            raise ValueError(message)
    return merged


def _pay_order(command_id: CommandId, p: wire.PayOrder) -> commands.Command:
    return commands.PayOrder(command_id, UserId(p.user_id), OrderId(p.order_id))


def _cancel_order(command_id: CommandId, p: wire.CancelOrder) -> commands.Command:
    return commands.CancelOrder(command_id, UserId(p.user_id), OrderId(p.order_id))


def _define_product(command_id: CommandId, p: wire.DefineProduct) -> commands.Command:
    return commands.DefineProduct(command_id, ProductId(p.product_id), p.name, p.price, p.stock)


def _restock_product(command_id: CommandId, p: wire.RestockProduct) -> commands.Command:
    return commands.RestockProduct(command_id, ProductId(p.product_id), p.quantity)


def _define_coupon(command_id: CommandId, p: wire.DefineCoupon) -> commands.Command:
    return commands.DefineCoupon(
        command_id,
        CouponCode(p.coupon_code),
        p.total,
        p.discount_amount,
        None if p.valid_from is None else epoch_ms(p.valid_from),
        None if p.valid_until is None else epoch_ms(p.valid_until),
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("user_commands", wire.ChargeBalance, _user_key, _charge_balance),
        Kind("user_commands", wire.CreditBalance, _user_key, _credit_balance, is_admin=True),
        Kind("user_commands", wire.CreateOrder, _user_key, _create_order),
        Kind("user_commands", wire.PayOrder, _user_key, _pay_order),
        Kind("user_commands", wire.CancelOrder, _user_key, _cancel_order),
        Kind("coupon_commands", wire.IssueCoupon, _code_key, _issue_coupon),
        Kind("coupon_commands", wire.DefineCoupon, _code_key, _define_coupon, is_admin=True),
        Kind("coupon_commands", wire.PauseCoupon, _code_key, _pause_coupon, is_admin=True),
        Kind("catalog_commands", wire.DefineProduct, _product_key, _define_product, is_admin=True),
        Kind(
            "catalog_commands", wire.RestockProduct, _product_key, _restock_product, is_admin=True
        ),
    )
}
ADMIN_TYPES = frozenset(name for name, kind in KINDS.items() if kind.is_admin)
