"""The ranking worker's web views, JSON and read-only; bound to loopback unless set otherwise."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from faust.web import View

from domain.ranking import HOUR_MS, TOP_MAX, Window
from streams.outcomes import Answer, epoch_ms, moment
from streams.wire import INT64_MAX, Moment
from tables.checking import Checks, UnsettledError
from tables.clock import now_ms
from tables.health import RankingHealth
from tables.live import LiveSales
from tables.owners import FORWARDED, OwnerAwayError, Owners, ask
from tables.shapes import counted_window, encode_comparison
from tables.top_lists import TopListReader
from tables.view_problems import ViewProblemError, answer_problems, respond

AWAY = (503, "OWNER_AWAY")

_encode = msgspec.json.Encoder().encode


class Sources(NamedTuple):
    """What the views show, and whether this worker is fit to show it.

    `status` gives each check by name: all of them together say that it has joined its group, has
    loaded its table and counts. What it holds can be shown while a service is away.
    """

    live: LiveSales
    checks: Checks
    owners: Owners
    top_lists: TopListReader
    status: Callable[[], Mapping[str, bool]]
    health: RankingHealth

    @property
    def is_ready(self) -> bool:
        """Tell whether the own table is what it should be."""
        return all(self.status().values())


def add_views(app: Any, sources: Sources) -> None:
    """Add the health views, the top list, one product's hours, the table's state, the check."""
    views = _Views(sources)
    app.web.web_app.middlewares.append(answer_problems)
    for path, answer in (
        ("/livez", views.livez),
        ("/readyz", views.readyz),
        ("/ranking/top", views.top),
        ("/ranking/products/{product_id}", views.product),
        ("/ranking/table", views.table),
        ("/ranking/check", views.check),
    ):
        app.page(path, name=path)(_handler(answer))


def _handler(answer: Callable[[web.Request], Awaitable[Answer]]) -> Any:
    async def handle(_view: View, request: web.Request, **_from_path: str) -> web.Response:
        return respond(await answer(request))

    return handle


class _Views:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._live = sources.live

    async def livez(self, _request: web.Request) -> Answer:
        liveness = self._sources.health.liveness
        return _answer(liveness.answer(), 200 if liveness.is_alive else 503)

    async def readyz(self, _request: web.Request) -> Answer:
        state = self._state()
        checks = state["checks"] = {**self._sources.health.services(), **state["checks"]}
        ready = all(checks.values())
        body = {"status": "ok" if ready else "unready", **state}
        return _answer(body, 200 if ready else 503)

    async def table(self, _request: web.Request) -> Answer:
        return _answer(self._state())

    def _state(self) -> dict[str, Any]:
        """Show the table's state, never what is in it."""
        live = self._live
        return {
            "checks": self._sources.status(),
            "generation": live.assignment.generation,
            "partitions": sorted(live.assignment.partitions),
            "products": live.products,
            "values": live.values,
            "window": counted_window(live.window),
            "loadedAt": moment(live.loaded_at_ms) if live.loaded_at_ms else None,
        }

    async def top(self, _request: web.Request) -> Answer:
        """Show the list that the edges show: merged over the partitions of all workers."""
        if not self._sources.top_lists.ready:
            raise ViewProblemError(*AWAY, "This worker has not read the top lists yet.")
        view = self._sources.top_lists.top(TOP_MAX)
        ranked = enumerate(view.entries, 1)
        return _answer(
            {
                "asOf": moment(view.as_of_ms),
                "window": counted_window(view.window),
                "partitions": sorted(self._sources.top_lists.lists()),
                "products": [
                    {"rank": rank, "productId": each.product_id, "quantity": each.quantity}
                    for rank, each in ranked
                ],
            }
        )

    async def product(self, request: web.Request) -> Answer:
        """Show a product's hours: from the own table, or as the product's owner shows them."""
        product_id = _product_id(request.match_info["product_id"])
        if self._sources.is_ready and self._live.owns(product_id):
            return _answer(_hours(self._live, product_id))
        if FORWARDED in request.headers:
            raise ViewProblemError(
                *AWAY, "The worker that was asked for this product does not own it any more."
            )
        try:
            owner = self._sources.owners.of_product(product_id)
            return await ask(owner, f"/ranking/products/{product_id}")
        except OwnerAwayError as error:
            raise ViewProblemError(*AWAY, str(error)) from error

    async def check(self, request: web.Request) -> Answer:
        """Compare the own partitions with SQL; with numbers and the first differences only."""
        window = _asked_window(request.query)
        self._require_ready()
        try:
            found = await self._sources.checks.compare(window)
        except UnsettledError as error:
            raise ViewProblemError(*AWAY, f"There is nothing to compare: {error}.") from error
        # A worker whose partitions were taken away meanwhile has waited for sales in vain.
        self._require_ready()
        return Answer(200, encode_comparison(found))

    def _require_ready(self) -> None:
        failing = [name for name, holds in self._sources.status().items() if not holds]
        if failing:
            raise ViewProblemError(*AWAY, f"This worker is not ready: {', '.join(failing)}.")


def _answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, _encode(body))


def _hours(live: LiveSales, product_id: int) -> dict[str, Any]:
    hours = live.hours(product_id, now_ms())
    return {
        "productId": product_id,
        "window": counted_window(live.window),
        "quantity": sum(hours.values()),
        "hours": [
            {"hour": moment(hour), "quantity": quantity} for hour, quantity in hours.items()
        ],
    }


def _product_id(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not 1 <= int(text) <= INT64_MAX:
        raise ViewProblemError(400, "INVALID_REQUEST", "A productId is a positive number.")
    return int(text)


def _asked_window(query: Mapping[str, str]) -> Window | None:
    if not query:
        return None
    try:
        start, end = (epoch_ms(msgspec.convert(query[name], Moment)) for name in ("start", "end"))
    except (LookupError, msgspec.ValidationError, OverflowError):
        detail = "start and end are moments with an offset from UTC."
        raise ViewProblemError(400, "INVALID_REQUEST", detail) from None
    if start >= end or start % HOUR_MS or end % HOUR_MS:
        detail = "start and end are whole hours, the start before the end."
        raise ViewProblemError(400, "INVALID_REQUEST", detail)
    return Window(start, end)
