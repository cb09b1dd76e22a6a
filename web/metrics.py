"""What this edge counts: requests by route, and a page of it that clients cannot reach."""

from aiohttp import web

from streams.metrics import CONTENT_TYPE, REQUESTS, render

# Whatever leads nowhere is one row: a stranger must not make rows by trying paths.
NO_ROUTE = "none"


async def count_request(request: web.Request, response: web.StreamResponse) -> None:
    """Count a request as its answer begins; a stream counts then as well."""
    resource = request.match_info.route.resource
    route = NO_ROUTE if resource is None else resource.canonical
    method = request.method if resource is not None else NO_ROUTE
    REQUESTS.labels(method, route, response.status).inc()


def create_metrics_page() -> web.Application:
    """Make the application of a port of its own: what is counted is not for clients."""
    app = web.Application()
    app.add_routes(METRICS_ROUTES)
    return app


async def _show_metrics(_request: web.Request) -> web.Response:
    return web.Response(body=render(), headers={"Content-Type": CONTENT_TYPE})


METRICS_ROUTES = [web.get("/metrics", _show_metrics)]
