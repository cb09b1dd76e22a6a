"""A span for each request, where tracing is on: it goes on from the client's `traceparent`."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.tracing import Tracing


def trace_requests(tracing: Tracing) -> Middleware:
    """Make the middleware; it stands before all others."""

    @web.middleware
    async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = "" if resource is None else f" {resource.canonical}"
        with tracing.serving(f"{request.method}{route}", request.headers) as span:
            response = await handler(request)
            span.set_attribute("http.request.method", request.method)
            span.set_attribute("http.response.status_code", response.status)
        return response

    return traced
