"""Orders: previewed, paid, cancelled, and read and listed by their owner."""

import re
import time

from aiohttp import web

import storage.orders
from domain.ids import OrderId
from streams import wire
from streams.outcomes import Answer, order_at
from web.command_path import submission_of
from web.edge import EDGE
from web.paging import Cursors, split
from web.problems import ProblemError, respond
from web.requests import read_body, read_user_id, read_users_page
from web.shapes import Orders, encode

_CURSORS = Cursors("orders", tuple[int, str])
_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def create_order(request: web.Request) -> web.Response:
    """Price an order; it reserves nothing yet."""
    payload = await read_body(request, wire.CreateOrder)
    return await request.app[EDGE].commands.submit(submission_of(request, payload))


async def pay_order(request: web.Request) -> web.Response:
    """Pay an order from the balance."""
    return await _move_stock(request, await read_body(request, wire.PayOrder))


async def cancel_order(request: web.Request) -> web.Response:
    """Cancel an order; what was paid for it returns."""
    return await _move_stock(request, await read_body(request, wire.CancelOrder))


async def _move_stock(request: web.Request, payload: wire.Shape) -> web.Response:
    edge = request.app[EDGE]
    response = await edge.commands.submit(submission_of(request, payload))
    if response.status == 200:
        # Pieces left the stock or came back, and the client may read the catalog next.
        await edge.catalog.changed()
    return response


async def list_orders(request: web.Request) -> web.Response:
    """Answer a user's orders, the newest first."""
    user_id, page = read_users_page(request, _CURSORS)
    async with request.app[EDGE].database.connect() as connection:
        found = await storage.orders.list_orders(connection, user_id, page.after, page.limit + 1)
    listed, last = split(found, page.limit)
    following = None if last is None else _CURSORS.write((last.created_at_ms, last.order_id))
    now_ms = time.time_ns() // 1_000_000
    shown = [order_at(order, now_ms) for order in listed]
    return respond(Answer(200, encode(Orders(user_id, shown, following))))


async def read_order(request: web.Request) -> web.Response:
    """Answer an order to its owner; for anybody else there is none."""
    user_id = read_user_id(request)
    order_id = request.match_info["orderId"]
    order = None
    if _ORDER_ID.fullmatch(order_id):
        order = await request.app[EDGE].reads.orders.get(OrderId(order_id))
    if order is None or order.user_id != user_id:
        raise ProblemError(404, "ORDER_NOT_FOUND", "There is no such order.")
    now_ms = time.time_ns() // 1_000_000
    return respond(Answer(200, encode(order_at(order, now_ms))))
