"""What of the state a batch of commands names, so that it can be loaded before any is decided."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain import commands
from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId


@dataclass(slots=True)
class Needs:
    """Keys to load. With `writes_products` also the products that the orders name."""

    wallets: set[UserId] = field(default_factory=set)
    charges: set[tuple[UserId, CommandId]] = field(default_factory=set)
    created: set[OrderId] = field(default_factory=set)
    """Orders that commands would create under their own ids; with `charges` all that they make."""
    products: set[ProductId] = field(default_factory=set)
    coupons: set[CouponCode] = field(default_factory=set)
    orders: set[OrderId] = field(default_factory=set)
    copies_by_user: set[UserId] = field(default_factory=set)
    copies_by_coupon: set[CouponId] = field(default_factory=set)
    writes_products: bool = False

    def add(self, command: commands.Command) -> None:
        """Note what one command names."""
        match command:
            case commands.ChargeBalance(command_id, user_id) | commands.CreditBalance(
                command_id, user_id
            ):
                self.wallets.add(user_id)
                # One that moved money before is not carried out again, however long ago.
                self.charges.add((user_id, command_id))
            case commands.IssueCoupon(_, user_id, code):
                self.coupons.add(code)
                self.copies_by_user.add(user_id)
            case commands.CreateOrder():
                self._add_create_order(command)
            case commands.PayOrder() | commands.CancelOrder():
                self._add_order(command)
            case commands.DefineProduct() | commands.RestockProduct():
                self.products.add(command.product_id)
                self.writes_products = True
            case commands.DefineCoupon() | commands.PauseCoupon():
                self.coupons.add(command.coupon_code)

    def _add_create_order(self, command: commands.CreateOrder) -> None:
        # The order's id is its command's id: one that exists already is a refusal.
        self.created.add(OrderId(command.command_id))
        self.products.update(line.product_id for line in command.lines)
        if command.coupon_id is not None:
            self.copies_by_user.add(command.user_id)
            self.copies_by_coupon.add(command.coupon_id)

    def _add_order(self, command: commands.PayOrder | commands.CancelOrder) -> None:
        self.wallets.add(command.user_id)
        self.orders.add(command.order_id)
        self.copies_by_user.add(command.user_id)
        self.writes_products = True


def needs_of(listed: Iterable[commands.Command]) -> Needs:
    """Gather what these commands name."""
    needs = Needs()
    for command in listed:
        needs.add(command)
    return needs
