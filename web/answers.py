"""What every answer of an edge carries, whoever made it."""

from aiohttp import web
from multidict import CIMultiDict

from web.request_ids import HEADER, request_id_of

# An answer is data: nothing in it may be run, framed or kept. Pages say otherwise for themselves.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the request's id, and what keeps an answer safe; its own headers stay."""
    complete(request, response.headers)


def complete(request: web.BaseRequest, headers: "CIMultiDict[str]") -> None:
    """Complete the headers of an answer."""
    headers[HEADER] = request_id_of(request)
    for name, value in SECURITY_HEADERS.items():
        if name not in headers:
            headers[name] = value
