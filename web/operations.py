"""What each handler takes and answers, beside what its route and its shapes say by themselves."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from domain.ranking import TOP_MAX
from streams import wire
from streams.wire_fields import Code, Id
from web import (
    admin,
    balance,
    commands,
    coupon_line,
    coupons,
    health,
    orders,
    paging,
    products,
    result_stream,
    shapes,
    top_stream,
)
from web.admin import ACTIONS_DEFAULT, ACTIONS_MAX
from web.best_sellers import DAILY, LIVE
from web.paging import LIMIT_MAX
from web.preferences import WAIT_SECONDS_MAX
from web.products import LIMIT_DEFAULT

Schema = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON, EVENTS = "application/json", "text/event-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of a path, of a query or of the headers. `kind` is a type that msgspec describes."""

    place: str
    name: str
    kind: Any
    description: str
    is_required: bool = True
    schema: Mapping[str, Any] = field(default_factory=dict)
    """What the type does not say."""
    example: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler as its caller sees it. `codes` are those that only some handlers answer with."""

    tag: str
    answer: type[wire.Shape] | Schema
    codes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: type[wire.Shape] | None = None
    example: Mapping[str, Any] | None = None
    kind: str = JSON
    is_health: bool = False
    """Whether it answers 503 with the same body, and with no problem."""


_USER = Parameter("query", "userId", Id, "Whose.", example=7)
_ORDER = Parameter("path", "orderId", Code, "As `POST /api/v1/orders` has told.")
_PRODUCT = Parameter("path", "productId", Id, "As the catalog has it.", example=1)
_COMMAND = Parameter(
    "path", "commandId", str, "As `Command-Id` or `Location` has told.", schema={"format": "uuid"}
)
_LIMIT = Parameter(
    "query",
    "limit",
    int,
    "How many places.",
    is_required=False,
    schema={"minimum": 1, "maximum": TOP_MAX, "default": int(LIMIT_DEFAULT)},
)
_SOURCE = Parameter(
    "query",
    "source",
    str,
    "The live ranking, or the one that was stored at midnight.",
    is_required=False,
    schema={"enum": [LIVE, DAILY], "default": LIVE},
)
_DATE = Parameter(
    "query",
    "date",
    str,
    f"Of a stored ranking: only with `source={DAILY}`; without it the newest.",
    is_required=False,
    schema={"format": "date"},
)
_SEEN = Parameter(
    "header", "Last-Event-ID", str, "The event that was seen last.", is_required=False
)
_WAIT = Parameter(
    "query",
    "wait",
    int,
    "So many seconds to wait for the outcome of a command that is pending.",
    is_required=False,
    schema={"minimum": 0, "maximum": WAIT_SECONDS_MAX, "default": 0},
)
_CURSOR = Parameter(
    "query",
    "cursor",
    str,
    "The `next` of the page before; without it the first page.",
    is_required=False,
)
_ROWS = Parameter(
    "query",
    "limit",
    int,
    "How many rows at most.",
    is_required=False,
    schema={"minimum": 1, "maximum": LIMIT_MAX, "default": paging.LIMIT_DEFAULT},
)
_PAGE = (_ROWS, _CURSOR)
_CODE = Parameter("path", "couponCode", Code, "As it was announced.", example="WELCOME")
_OFFSET = Parameter(
    "query",
    "offset",
    int,
    "From this place on, as a receipt names it; not together with a cursor.",
    is_required=False,
    schema={"minimum": 0, "maximum": wire.INT64_MAX},
)
_ACTIONS = Parameter(
    "query",
    "limit",
    int,
    "How many actions.",
    is_required=False,
    schema={"minimum": 1, "maximum": ACTIONS_MAX, "default": int(ACTIONS_DEFAULT)},
)
_BEFORE = Parameter(
    "query", "before", Id, "Only actions with a smaller number.", is_required=False
)
_FREE: Schema = {"type": "object"}
_EVENT: Schema = {
    "description": "One event of the stream; its data is JSON.",
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": JSON},
    },
    "required": ["event", "data"],
}
_ORDER_EXAMPLE = {"userId": 7, "orderId": "5f0c7d3e-4c5b-4f0e-9a39-2b8f6a1c0d11"}
_USERS_ORDER = ("ORDER_NOT_FOUND", "ORDER_EXPIRED")

OPERATIONS: dict[Handler, Operation] = {
    balance.read_balance: Operation("balance", wire.Balance, parameters=(_USER,)),
    balance.list_balance_history: Operation(
        "balance", shapes.BalanceHistory, parameters=(_USER, *_PAGE)
    ),
    balance.charge_balance: Operation(
        "balance",
        wire.ChargedBalance,
        ("BALANCE_LIMIT_EXCEEDED",),
        body=wire.ChargeBalance,
        example={"userId": 7, "amount": 50_000},
    ),
    coupons.issue_coupon: Operation(
        "coupons",
        wire.IssuedCoupon,
        (
            "COUPON_NOT_FOUND",
            "COUPON_NOT_VALID_NOW",
            "COUPON_PAUSED",
            "COUPON_ALREADY_ISSUED",
            "COUPON_SOLD_OUT",
        ),
        body=wire.IssueCoupon,
        example={"userId": 7, "couponCode": "WELCOME"},
    ),
    coupons.list_coupons: Operation("coupons", shapes.UserCoupons, parameters=(_USER, *_PAGE)),
    coupon_line.read_line: Operation(
        "coupons",
        shapes.CouponLine,
        ("COUPON_NOT_FOUND",),
        parameters=(_CODE, *_PAGE, _OFFSET),
    ),
    orders.list_orders: Operation("orders", shapes.Orders, parameters=(_USER, *_PAGE)),
    orders.create_order: Operation(
        "orders",
        wire.Order,
        ("PRODUCT_NOT_FOUND", "OUT_OF_STOCK", "COUPON_NOT_HELD", "COUPON_ALREADY_USED"),
        body=wire.CreateOrder,
        example={"userId": 7, "items": [{"productId": 1, "quantity": 2}]},
    ),
    orders.pay_order: Operation(
        "orders",
        wire.Payment,
        (
            *_USERS_ORDER,
            "ORDER_ALREADY_PAID",
            "ORDER_CANCELLED",
            "INSUFFICIENT_BALANCE",
            "COUPON_ALREADY_USED",
            "OUT_OF_STOCK",
        ),
        body=wire.PayOrder,
        example=_ORDER_EXAMPLE,
    ),
    orders.cancel_order: Operation(
        "orders",
        wire.Cancellation,
        (*_USERS_ORDER, "ORDER_ALREADY_CANCELLED"),
        body=wire.CancelOrder,
        example=_ORDER_EXAMPLE,
    ),
    orders.read_order: Operation(
        "orders", wire.Order, ("ORDER_NOT_FOUND",), parameters=(_ORDER, _USER)
    ),
    products.list_products: Operation("products", shapes.Products, parameters=_PAGE),
    products.read_product: Operation(
        "products", shapes.ProductWithRank, ("PRODUCT_NOT_FOUND",), parameters=(_PRODUCT,)
    ),
    products.top_products: Operation(
        "products",
        shapes.TopProducts,
        ("RANKING_NOT_FOUND",),
        parameters=(_LIMIT, _SOURCE, _DATE),
    ),
    top_stream.stream_top_products: Operation(
        "products", _EVENT, parameters=(_LIMIT, _SEEN), kind=EVENTS
    ),
    commands.read_command: Operation(
        "commands", shapes.CommandState, ("COMMAND_NOT_FOUND",), parameters=(_COMMAND, _WAIT)
    ),
    result_stream.stream_results: Operation(
        "commands", _EVENT, parameters=(_USER, _SEEN), kind=EVENTS
    ),
    admin.define_product: Operation(
        "admin",
        wire.Product,
        body=wire.DefineProduct,
        example={"productId": 1, "name": "Red bean bun", "price": 2_800, "reason": "new price"},
    ),
    admin.restock_product: Operation(
        "admin",
        wire.Product,
        ("PRODUCT_NOT_FOUND", "STOCK_LIMIT_EXCEEDED"),
        body=wire.RestockProduct,
        example={"productId": 1, "quantity": 10, "reason": "delivery 4711"},
    ),
    admin.define_coupon: Operation(
        "admin",
        wire.Coupon,
        ("COUPON_TOTAL_BELOW_ISSUED",),
        body=wire.DefineCoupon,
        example={"couponCode": "WELCOME", "total": 10_000, "discountAmount": 1_000},
    ),
    admin.pause_coupon: Operation(
        "admin",
        wire.PausedCoupon,
        ("COUPON_NOT_FOUND",),
        body=wire.PauseCoupon,
        example={"couponCode": "WELCOME", "reason": "ticket 812", "paused": False},
    ),
    admin.credit_balance: Operation(
        "admin",
        wire.CreditedBalance,
        ("BALANCE_LIMIT_EXCEEDED",),
        body=wire.CreditBalance,
        example={"userId": 7, "amount": 500, "reason": "ticket 812"},
    ),
    admin.list_actions: Operation("admin", shapes.AdminActions, parameters=(_ACTIONS, _BEFORE)),
    health.tell_alive: Operation("health", _FREE, is_health=True),
    health.tell_ready: Operation("health", _FREE, is_health=True),
    health.list_routes: Operation("description", _FREE),
}
