"""Whether this edge lives, and whether it can serve; and the list of its resources."""

from typing import Any

from aiohttp import web

from streams.outcomes import Answer
from web.access import public
from web.edge import EDGE, Edge
from web.problems import respond
from web.shapes import encode


@public
async def tell_alive(request: web.Request) -> web.Response:
    """Answer each check; 503 with what is wrong, and since when, where only a new start helps."""
    edge = request.app[EDGE]
    body = edge.liveness.answer()
    for part, other in edge.others.items():
        body = body_with(body, part, other.liveness.answer())
    return respond(Answer(200 if body["status"] == "ok" else 503, encode(body)))


def body_with(body: dict[str, Any], part: str, other: dict[str, Any]) -> dict[str, Any]:
    """Add another part's answer, its checks under the part's name."""
    named = {
        key: {f"{part}.{name}": told for name, told in other[key].items()}
        for key in ("checks", "faults")
    }
    return {
        "status": body["status"] if other["status"] == "ok" else other["status"],
        "checks": body["checks"] | named["checks"],
        "faults": body["faults"] | named["faults"],
    }


@public
async def tell_ready(request: web.Request) -> web.Response:
    """Answer each check, and the services in use; 503 while one check fails."""
    edge = request.app[EDGE]
    checks = checks_of(edge)
    is_ready = all(checks.values())
    body = {
        "status": "ready" if is_ready else "not ready",
        "broker": edge.broker,
        "database": edge.database.name,
        "cache": edge.cache.name,
        "checks": checks,
    }
    return respond(Answer(200 if is_ready else 503, encode(body)))


def checks_of(edge: Edge) -> dict[str, bool]:
    """Return each check by name; the app's own are named by their part first."""
    parts = edge.parts
    checks = {watch.name: watch.is_ready for watch in parts.watches}
    checks["producer"] = parts.appender.is_ready
    checks["results"] = parts.results.is_ready
    checks["topLists"] = edge.top_lists.ready
    if edge.identifier is not None:
        checks["tokenKeys"] = edge.identifier.is_ready
    checks["accepting"] = not edge.commands.is_leaving
    for part, other in edge.others.items():
        checks |= {f"{part}.{name}": holds for name, holds in other.checks().items()}
    return checks


@public
async def list_routes(request: web.Request) -> web.Response:
    """Answer every resource with its methods."""
    routes = sorted(
        f"{route.method} {route.resource.canonical}"
        for route in request.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    )
    return respond(Answer(200, encode({"service": "fairline", "routes": routes})))
