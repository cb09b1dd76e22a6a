"""Products: the catalog, and the best sellers."""

from collections.abc import Mapping

from aiohttp import web

from domain.ranking import TOP_MAX
from storage.daily_ranking import load_daily_run
from streams import wire
from streams.outcomes import Answer
from web import shapes
from web.access import public
from web.best_sellers import DAILY, LIVE, show_product, show_run, show_top
from web.catalog import CURSORS
from web.edge import EDGE, Edge
from web.paging import PAGE
from web.problems import InvalidRequestError, ProblemError, UnavailableError, respond
from web.requests import read_date, read_number, read_page_limit, read_query

LIMIT_DEFAULT = "5"
NOT_KNOWN = "This edge has not read the top lists yet."


@public
async def list_products(request: web.Request) -> web.Response:
    """Answer the catalog, by product id."""
    query = read_query(request, *PAGE)
    page = CURSORS.read(query, read_page_limit(query))
    after = 0 if page.after is None else page.after[0]
    return respond(Answer(200, await request.app[EDGE].catalog.products_page(after, page.limit)))


@public
async def read_product(request: web.Request) -> web.Response:
    """Answer a product with its stock, and its rank while it is among the best sellers."""
    read_query(request)
    product_id = read_number("productId", request.match_info["productId"], wire.INT64_MAX)
    edge = request.app[EDGE]
    product = await edge.reads.products.get(product_id)
    if product is None:
        raise ProblemError(404, "PRODUCT_NOT_FOUND", "There is no such product.")
    # Its place is asked for last: it is that of the moment of the answer.
    shown = show_product(product, edge.top_lists.top(TOP_MAX))
    return respond(Answer(200, shapes.encode(shown)))


@public
async def top_products(request: web.Request) -> web.Response:
    """Answer the best sellers: live, or as the ranking of a day was stored."""
    query = read_query(request, "limit", "source", "date")
    limit = read_limit(query)
    source = query.get("source", LIVE)
    if source not in (LIVE, DAILY):
        raise InvalidRequestError(("source", f"Expected {LIVE} or {DAILY}"))
    if source == DAILY:
        return await _daily_products(request.app[EDGE], query.get("date"), limit)
    if "date" in query:
        raise InvalidRequestError(("date", f"Only with source={DAILY}"))
    edge = request.app[EDGE]
    if not edge.top_lists.ready:
        raise UnavailableError(NOT_KNOWN)
    shown = await show_top(edge.catalog, edge.top_lists.top(limit))
    return respond(Answer(200, shapes.encode(shown)))


async def _daily_products(edge: Edge, date: str | None, limit: int) -> web.Response:
    day = None if date is None else read_date("date", date)
    # A snapshot: a run that is made again in between is not seen half.
    async with edge.database.snapshot() as connection:
        run = await load_daily_run(connection, day)
    if run is None:
        detail = "No ranking is stored for this date." if day else "No ranking is stored yet."
        raise ProblemError(404, "RANKING_NOT_FOUND", detail)
    return respond(Answer(200, shapes.encode(show_run(run, limit))))


def read_limit(query: Mapping[str, str]) -> int:
    """Read how many places are asked for."""
    return read_number("limit", query.get("limit", LIMIT_DEFAULT), TOP_MAX)
