"""How many requests an edge has in hand at once: those beyond that are refused at the door."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.metrics import REFUSED
from web.problems import ProblemError

RETRY_SECONDS = 1
FULL = "This edge has as many requests in hand as it takes; nothing was accepted."


def bound_requests(requests_max: int, exempt: frozenset[Handler]) -> Middleware:
    """Make the middleware; handlers that are exempt are neither counted nor refused."""
    in_hand = 0

    @web.middleware
    async def bound(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_hand
        if request.match_info.handler in exempt:
            return await handler(request)
        if in_hand >= requests_max:
            REFUSED.labels("in flight").inc()
            retry = {"Retry-After": str(RETRY_SECONDS)}
            raise ProblemError(503, "TOO_MANY_IN_FLIGHT", FULL, headers=retry)
        in_hand += 1
        try:
            return await handler(request)
        finally:
            in_hand -= 1

    return bound
