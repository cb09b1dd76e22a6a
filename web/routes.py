"""Every route of the edge, on one screen."""

from aiohttp import web

from web import (
    admin,
    api_page,
    balance,
    commands,
    coupon_line,
    coupons,
    health,
    orders,
    page,
    products,
    result_stream,
    top_stream,
)

# What is done to orders is no order: those paths have one method, and say so.
_ORDER = "{orderId:(?!pay$|cancel$)[^/]+}"

ROUTES = [
    web.get("/api/v1/balance", balance.read_balance),
    web.get("/api/v1/balance/history", balance.list_balance_history),
    web.post("/api/v1/balance/charge", balance.charge_balance),
    web.post("/api/v1/coupons/issue", coupons.issue_coupon),
    web.get("/api/v1/coupons", coupons.list_coupons),
    web.get("/api/v1/coupons/{couponCode}/line", coupon_line.read_line),
    web.get("/api/v1/orders", orders.list_orders),
    web.post("/api/v1/orders", orders.create_order),
    web.post("/api/v1/orders/pay", orders.pay_order),
    web.post("/api/v1/orders/cancel", orders.cancel_order),
    web.get(f"/api/v1/orders/{_ORDER}", orders.read_order),
    web.get("/api/v1/products", products.list_products),
    web.get("/api/v1/products/top", products.top_products),
    web.get("/api/v1/products/top/stream", top_stream.stream_top_products, allow_head=False),
    web.get("/api/v1/products/{productId}", products.read_product),
    web.get("/api/v1/commands/stream", result_stream.stream_results, allow_head=False),
    web.get("/api/v1/commands/{commandId}", commands.read_command),
    web.post("/api/v1/admin/products", admin.define_product),
    web.post("/api/v1/admin/products/restock", admin.restock_product),
    web.post("/api/v1/admin/coupons", admin.define_coupon),
    web.post("/api/v1/admin/coupons/pause", admin.pause_coupon),
    web.post("/api/v1/admin/balance/credit", admin.credit_balance),
    web.get("/api/v1/admin/actions", admin.list_actions),
    web.get("/livez", health.tell_alive),
    web.get("/readyz", health.tell_ready),
    web.get("/api/v1", health.list_routes),
    web.get("/openapi.json", api_page.show_openapi),
    web.get("/asyncapi.json", api_page.show_asyncapi),
    web.get("/docs", api_page.show_api_page),
    web.get("/docs/{version}/{name}", api_page.show_api_page_file),
    web.get("/", page.show_page),
    web.get("/page/{version}/{name}", page.show_page_file),
]
