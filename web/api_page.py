"""The page at `/docs`, to read the API and to try it, and the descriptions that it is made of.

The page is Swagger UI, from its package `swagger-ui-dist`: `web/api_page/swagger-ui.json` says
which release. Everything comes from this edge, so it works where nothing else can be reached.
"""

from functools import cache
from pathlib import Path

from aiohttp import web

from streams.outcomes import Answer
from web.access import public
from web.asyncapi import asyncapi
from web.edge import EDGE
from web.openapi import Described, openapi
from web.page import load_page, respond_file, respond_index
from web.problems import respond
from web.requests import read_query
from web.shapes import encode

FOLDER = Path(__file__).with_name("api_page")
# Swagger UI sets styles on its elements, and has its icons as data.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@public
async def show_api_page(request: web.Request) -> web.Response:
    """Answer the page on which the API is read and tried."""
    return respond_index(request, load_page(FOLDER), _POLICY)


@public
async def show_api_page_file(request: web.Request) -> web.Response:
    """Answer a file of that page, of this version and of no other."""
    return respond_file(request, load_page(FOLDER), _POLICY)


@public
async def show_openapi(request: web.Request) -> web.Response:
    """Answer the description of this API, as OpenAPI 3.1."""
    read_query(request)
    routes = tuple(
        Described(route.method, route.resource.canonical, route.handler)
        for route in request.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    )
    edge = request.app.get(EDGE)
    # The page is shown with nothing behind it too, and then nobody asks for tokens.
    asks_tokens = edge is not None and edge.identifier is not None
    return respond(Answer(200, _openapi(routes, asks_tokens)))


@public
async def show_asyncapi(request: web.Request) -> web.Response:
    """Answer the description of the topics, as AsyncAPI 3, by their names in this installation."""
    read_query(request)
    return respond(Answer(200, encode(asyncapi(request.app[EDGE].parts.topics))))


@cache
def _openapi(routes: tuple[Described, ...], asks_tokens: bool) -> bytes:
    return encode(openapi(routes, asks_tokens=asks_tokens))
