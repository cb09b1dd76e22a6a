"""Products: the catalog, and the best sellers."""

from aiohttp import web

from domain.ranking import TOP_MAX, Window
from streams.outcomes import Answer, moment
from web import shapes
from web.edge import EDGE, Edge
from web.problems import respond
from web.requests import read_number, read_query
from web.top_lists import MergedTop

LIMIT_DEFAULT = "5"


async def list_products(request: web.Request) -> web.Response:
    """Answer the whole catalog."""
    read_query(request)
    return respond(Answer(200, await request.app[EDGE].catalog.all_products()))


async def top_products(request: web.Request) -> web.Response:
    """Answer the best sellers of the live window."""
    limit = read_number("limit", read_query(request, "limit").get("limit", LIMIT_DEFAULT), TOP_MAX)
    edge = request.app[EDGE]
    shown = await _show(edge, edge.top_lists.top(limit))
    return respond(Answer(200, shapes.encode(shown)))


async def _show(edge: Edge, top: MergedTop) -> shapes.TopProducts:
    known = await edge.catalog.products_by_id([entry.product_id for entry in top.entries])
    sold = [entry for entry in top.entries if entry.product_id in known]
    return shapes.TopProducts(
        products=[
            shapes.RankedProduct(
                rank=rank,
                product_id=entry.product_id,
                name=known[entry.product_id].name,
                price=known[entry.product_id].price,
                quantity=entry.quantity,
            )
            for rank, entry in enumerate(sold, start=1)
        ],
        as_of=moment(top.as_of_ms),
        window=_show_window(top.window),
    )


def _show_window(window: Window) -> shapes.Window:
    return shapes.Window(moment(window.start_ms), moment(window.end_ms))
