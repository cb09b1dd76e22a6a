"""Products: the catalog, and the best sellers."""

from collections.abc import Mapping

from aiohttp import web

from domain.ranking import TOP_MAX
from streams.outcomes import Answer
from web import shapes
from web.best_sellers import show_top
from web.edge import EDGE
from web.problems import UnavailableError, respond
from web.requests import read_number, read_query

LIMIT_DEFAULT = "5"
NOT_KNOWN = "This edge has not read the top lists yet."


async def list_products(request: web.Request) -> web.Response:
    """Answer the whole catalog."""
    read_query(request)
    return respond(Answer(200, await request.app[EDGE].catalog.all_products()))


async def top_products(request: web.Request) -> web.Response:
    """Answer the best sellers of the live window."""
    limit = read_limit(read_query(request, "limit"))
    edge = request.app[EDGE]
    if not edge.top_lists.ready:
        raise UnavailableError(NOT_KNOWN)
    shown = await show_top(edge.catalog, edge.top_lists.top(limit))
    return respond(Answer(200, shapes.encode(shown)))


def read_limit(query: Mapping[str, str]) -> int:
    """Read how many places are asked for."""
    return read_number("limit", query.get("limit", LIMIT_DEFAULT), TOP_MAX)
