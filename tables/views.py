"""The ranking worker's web views, JSON and read-only; bound to loopback unless set otherwise."""

from collections.abc import Callable
from typing import Any

from faust.web import Request, Response, View

from domain.ranking import live_window
from streams.outcomes import moment
from tables.app import RankingApp
from tables.clock import now_ms
from tables.live import LiveSales


def add_views(ranking: RankingApp, live: LiveSales, is_alive: Callable[[], bool]) -> None:
    """Add the health views, the top list, one product's hours, and the table's state."""
    app = ranking.app

    async def livez(view: View, _request: Request) -> Response:
        alive = is_alive()
        return view.json({"status": "ok" if alive else "failed"}, status=200 if alive else 503)

    async def readyz(view: View, _request: Request) -> Response:
        checks = {"alive": is_alive(), "consuming": not app.rebalancing and not app.in_recovery}
        ready = all(checks.values())
        body = {"status": "ok" if ready else "unready", "checks": checks, **_state(live)}
        return view.json(body, status=200 if ready else 503)

    async def top(view: View, _request: Request) -> Response:
        return view.json(_top(live))

    async def product(view: View, _request: Request, product_id: str) -> Response:
        if not (product_id.isascii() and product_id.isdigit()):
            return view.json({"detail": "A productId is a number."}, status=400)
        if not live.owns(int(product_id)):
            return view.json({"detail": "Another worker owns this product."}, status=404)
        return view.json(_hours(live, int(product_id)))

    async def state(view: View, _request: Request) -> Response:
        return view.json(_state(live))

    app.page("/livez", name="livez")(livez)
    app.page("/readyz", name="readyz")(readyz)
    app.page("/ranking/top", name="top")(top)
    app.page("/ranking/products/{product_id}", name="product")(product)
    app.page("/ranking/table", name="table-state")(state)


def _top(live: LiveSales) -> dict[str, Any]:
    at_ms = now_ms()
    return {
        "asOf": moment(at_ms).isoformat(),
        "window": _window(at_ms),
        "partitions": sorted(live.assignment.partitions),
        "products": [
            {"rank": rank, "productId": entry.product_id, "quantity": entry.quantity}
            for rank, entry in enumerate(live.top(at_ms), 1)
        ],
    }


def _hours(live: LiveSales, product_id: int) -> dict[str, Any]:
    at_ms = now_ms()
    hours = live.hours(product_id, at_ms)
    return {
        "productId": product_id,
        "window": _window(at_ms),
        "quantity": sum(hours.values()),
        "hours": [
            {"hour": moment(hour).isoformat(), "quantity": quantity}
            for hour, quantity in hours.items()
        ],
    }


def _state(live: LiveSales) -> dict[str, Any]:
    return {
        "generation": live.assignment.generation,
        "partitions": sorted(live.assignment.partitions),
        "products": live.products,
        "values": live.values,
    }


def _window(at_ms: int) -> dict[str, str]:
    window = live_window(at_ms)
    return {
        "start": moment(window.start_ms).isoformat(),
        "end": moment(window.end_ms).isoformat(),
    }
