"""What admins do, by commands like anybody's: products, coupons, credits, and who did what."""

import msgspec
from aiohttp import web

from storage.admin_actions import AdminAction, list_admin_actions
from streams import wire
from streams.outcomes import Answer, moment
from web import shapes
from web.access import admin
from web.command_path import submission_of
from web.edge import EDGE
from web.problems import respond
from web.requests import read_body, read_number, read_query

ACTIONS_MAX = 200
ACTIONS_DEFAULT = "50"


@admin
async def define_product(request: web.Request) -> web.Response:
    """Put a product into the catalog, or rename and reprice it."""
    return await _submit(request, await read_body(request, wire.DefineProduct))


@admin
async def restock_product(request: web.Request) -> web.Response:
    """Add pieces to a product's stock."""
    return await _submit(request, await read_body(request, wire.RestockProduct))


@admin
async def define_coupon(request: web.Request) -> web.Response:
    """Announce a coupon, or change its terms."""
    return await _submit(request, await read_body(request, wire.DefineCoupon))


@admin
async def pause_coupon(request: web.Request) -> web.Response:
    """Issue no more copies of a coupon for now, or issue them again."""
    return await _submit(request, await read_body(request, wire.PauseCoupon))


@admin
async def credit_balance(request: web.Request) -> web.Response:
    """Give a user an amount, for a reason that is kept."""
    return await _submit(request, await read_body(request, wire.CreditBalance))


async def _submit(request: web.Request, payload: wire.Shape) -> web.Response:
    edge = request.app[EDGE]
    response = await edge.commands.submit(submission_of(request, payload))
    if response.status == 200 and isinstance(payload, wire.DefineProduct | wire.RestockProduct):
        await edge.catalog.changed()
    return response


@admin
async def list_actions(request: web.Request) -> web.Response:
    """Answer what admins did, the newest first: who, when, what and why."""
    query = read_query(request, "limit", "before")
    limit = read_number("limit", query.get("limit", ACTIONS_DEFAULT), ACTIONS_MAX)
    before = query.get("before")
    number = None if before is None else read_number("before", before, wire.INT64_MAX)
    async with request.app[EDGE].database.connect() as connection:
        found = await list_admin_actions(connection, limit, number)
    return respond(Answer(200, shapes.encode(shapes.AdminActions([_show(a) for a in found]))))


def _show(action: AdminAction) -> shapes.AdminAction:
    payload = msgspec.json.decode(action.payload)
    return shapes.AdminAction(
        number=action.number,
        principal=action.principal,
        command_id=action.command_id,
        type=action.type,
        reason=payload.pop("reason", None),
        payload=payload,
        status=action.status,
        acted_at=moment(action.acted_at_ms),
    )
