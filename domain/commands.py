"""What somebody wants done. Each command carries its own id: ids of what it makes come from it."""

from dataclasses import dataclass

from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId


@dataclass(frozen=True, slots=True)
class ChargeBalance:
    """Add `amount` won, at least 1, to the user's balance."""

    command_id: CommandId
    user_id: UserId
    amount: int


@dataclass(frozen=True, slots=True)
class CreditBalance:
    """Give the user `amount` won, at least 1, for a reason that an admin tells."""

    command_id: CommandId
    user_id: UserId
    amount: int
    reason: str


@dataclass(frozen=True, slots=True)
class IssueCoupon:
    """Give the user one copy of the coupon, first come, first served."""

    command_id: CommandId
    user_id: UserId
    coupon_code: CouponCode


@dataclass(frozen=True, slots=True)
class LineRequest:
    """So many pieces of one product. A command names each product once."""

    product_id: ProductId
    quantity: int


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """Price an order for later payment; nothing is reserved yet."""

    command_id: CommandId
    user_id: UserId
    lines: tuple[LineRequest, ...]
    coupon_id: CouponId | None


@dataclass(frozen=True, slots=True)
class PayOrder:
    """Pay a created order from the user's balance."""

    command_id: CommandId
    user_id: UserId
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Take an order back, paid or not; what it took from the user and the stock returns."""

    command_id: CommandId
    user_id: UserId
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class DefineProduct:
    """Put a product into the catalog, or rename and reprice it; only a new one takes `stock`."""

    command_id: CommandId
    product_id: ProductId
    name: str
    price: int
    stock: int


@dataclass(frozen=True, slots=True)
class RestockProduct:
    """Add `quantity` pieces, at least 1, to a product's stock."""

    command_id: CommandId
    product_id: ProductId
    quantity: int


@dataclass(frozen=True, slots=True)
class DefineCoupon:
    """Announce a coupon, or change its terms. No bound of its validity means always."""

    command_id: CommandId
    coupon_code: CouponCode
    total: int
    discount_amount: int
    valid_from_ms: int | None
    valid_until_ms: int | None


@dataclass(frozen=True, slots=True)
class PauseCoupon:
    """Let no more copies be issued for now, or let them be issued again."""

    command_id: CommandId
    coupon_code: CouponCode
    paused: bool


Command = (
    ChargeBalance
    | CreditBalance
    | IssueCoupon
    | CreateOrder
    | PayOrder
    | CancelOrder
    | DefineProduct
    | RestockProduct
    | DefineCoupon
    | PauseCoupon
)
