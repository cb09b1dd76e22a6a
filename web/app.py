"""Makes the edge: an aiohttp application that an `AppRunner` starts and stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web
from aiohttp.typedefs import Middleware

from storage.engine import Database
from streams import wire
from streams.liveness import Liveness
from streams.service_watch import Watch
from streams.topics import Topics
from streams.tracing import tracing_in_use
from web.answers import add_headers
from web.appender import Appender
from web.authenticating import authenticating
from web.backlog import Limits
from web.catalog import Catalog
from web.command_path import CommandPath, Parts
from web.edge import EDGE, Edge, Others
from web.edge_watch import EdgeWatch
from web.end_offsets import EndOffsets
from web.guards import guards_of
from web.identity import Identifier
from web.lines import Lines, Marks
from web.metrics import count_request
from web.problems import DATABASE_AWAY, KAFKA_AWAY, answer_problems, expect
from web.quotas import Quota
from web.reads import Reads
from web.requests import BODY_BYTES_MAX
from web.result_watch import ResultWatch
from web.results import Results
from web.routes import ROUTES
from web.shared_cache import create_cache
from web.shortcut import SHORTCUT, Shortcut
from web.sold_out import SoldOut
from web.top_board import TopBoard
from web.top_lists import LiveTop
from web.tracing import trace_requests

# Of all the requests that an edge has in hand; beyond that they are told when to come back.
COMMANDS_PERCENT_MAX = 80


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What the edge is told: where its services are, and how long it may take."""

    topics: Topics
    kafka_url: str
    redis_url: str = ""
    cache_prefix: str = "fairline:"
    edge_number: int = 0
    wait_seconds: float = 5.0
    limits: Limits = field(default_factory=Limits)
    stream_clients_max: int = 1000
    requests_max: int = 5000
    quota: Quota | None = None
    """What each principal may ask for; None: anything."""
    stop_seconds: float = 3.0
    """How long a stop waits for outcomes; requests that still wait are then answered as late."""


def create_edge(
    settings: EdgeSettings,
    database: Database,
    *,
    top_lists: LiveTop,
    others: Others | None = None,
    identifier: Identifier | None = None,
) -> web.Application:
    """Make the edge of a database that is open and stays so; nothing is connected yet.

    It serves at once and is ready once `GET /readyz` says so. `others` are the parts of this
    process that are no edge's, by name: their health is told too.
    """
    edge = _make_edge(settings, database, top_lists, others or {})
    edge = replace(edge, identifier=identifier)
    app = web.Application(middlewares=_middlewares(settings, edge), client_max_size=BODY_BYTES_MAX)
    app[EDGE] = edge
    app[SHORTCUT] = _shortcut_of(edge, settings.requests_max)
    for route in ROUTES:
        route.kwargs["expect_handler"] = expect
    app.add_routes(ROUTES)

    async def finish_requests(_app: web.Application) -> None:
        edge.board.close()
        edge.result_watch.close()
        await edge.commands.close(settings.stop_seconds)

    async def run_parts(_app: web.Application) -> AsyncIterator[None]:
        async with _running(edge, settings.stop_seconds):
            yield

    app.on_response_prepare.extend((count_request, _announcing_end(edge), add_headers))
    app.on_shutdown.append(finish_requests)
    app.cleanup_ctx.append(run_parts)
    return app


def _announcing_end(edge: Edge) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def announce_end(_request: web.Request, response: web.StreamResponse) -> None:
        if edge.commands.is_leaving:
            # The client's next request takes a new connection, and so perhaps another edge.
            response.headers["Connection"] = "close"
            response.force_close()

    return announce_end


def _shortcut_of(edge: Edge, waiting_max: int) -> Shortcut:
    """Make what tells those who come in a crowd when to come back."""

    def refusal_seconds(payload: wire.Shape, who: str, waiting: int) -> int | None:
        if getattr(payload, "user_id", None) is None:
            # An operator's command is no crowd's.
            return None
        if isinstance(payload, wire.IssueCoupon) and edge.sold_out.is_known(payload.coupon_code):
            # It is another answer, and a better one.
            return None
        return edge.commands.refusal_seconds(payload, who, waiting)

    return Shortcut(refusal_seconds, waiting_max)


def _middlewares(settings: EdgeSettings, edge: Edge) -> list[Middleware]:
    """List what stands before the handlers, the outermost first."""
    tracing = tracing_in_use()
    followed = [] if tracing is None else [trace_requests(tracing)]
    who = [] if edge.identifier is None else [authenticating(edge.identifier)]
    guards = guards_of(settings.requests_max, settings.quota, edge.cache, who)
    return [*followed, answer_problems, *guards]


def _make_edge(
    settings: EdgeSettings, database: Database, top_lists: LiveTop, others: Others
) -> Edge:
    parts = _wire(settings, database)
    cache = create_cache(settings.redis_url, settings.cache_prefix)
    catalog = Catalog(cache, database)
    in_hand_max = max(1, settings.requests_max * COMMANDS_PERCENT_MAX // 100)
    limits = replace(settings.limits, in_hand_max=in_hand_max)
    return Edge(
        parts=parts,
        database=database,
        commands=CommandPath(parts, limits, settings.wait_seconds),
        cache=cache,
        catalog=catalog,
        reads=Reads(database),
        sold_out=SoldOut(cache, database),
        top_lists=top_lists,
        board=TopBoard(top_lists, catalog, settings.stream_clients_max),
        result_watch=ResultWatch(database, settings.stream_clients_max),
        liveness=Liveness(),
        others=others,
        broker=str(settings.kafka_url),
    )


def _wire(settings: EdgeSettings, database: Database) -> Parts:
    lines = Lines(settings.topics.commands)
    kafka_url, topic = settings.kafka_url, settings.topics.command_results
    results = Results(kafka_url, topic, settings.edge_number, lines)
    ends = EndOffsets(kafka_url, lines, results)
    return Parts(
        topics=settings.topics,
        database=database,
        lines=lines,
        results=results,
        appender=Appender(kafka_url, settings.topics.commands),
        watches=(
            Watch("broker", ends, KAFKA_AWAY),
            Watch("database", Marks(database, lines), DATABASE_AWAY),
        ),
    )


@asynccontextmanager
async def _running(edge: Edge, stop_seconds: float) -> AsyncIterator[None]:
    """Keep every part running; what was handed over is sent before the end."""
    parts = edge.parts
    runs = {"producer": parts.appender.run(), "results": parts.results.run()}
    runs |= {watch.name: watch.run() for watch in parts.watches}
    if edge.identifier is not None:
        runs["tokenKeys"] = edge.identifier.run()
    running = {name: asyncio.create_task(run) for name, run in runs.items()}
    watch = EdgeWatch(edge.liveness, parts.results, parts.watches)
    tasks = [*running.values(), asyncio.create_task(watch.run(running))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.appender.stop(stop_seconds)
        await edge.cache.close()
