"""The Faust app of the ranking worker: a group of its own, one agent, one windowed table."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain.ranking import HOUR_MS, WINDOW_HOURS
from streams.app import FaustSettings, create_faust_app
from streams.topics import Topic, Topics
from tables.sale_intake import SaleStream
from tables.sales_table import SalesTable

TABLE = "sales"
# No sale waits for its changelog record. Gathered for a moment they cost a fifth of what a request
# for each of them does, and a worker counts five times as many sales a second.
LINGER_SECONDS = 0.05


class RankingHooks(NamedTuple):
    """What the app calls: for the stream, after each assignment, and at midnight."""

    process: Callable[[SaleStream], Awaitable[None]]
    load: Callable[[], Awaitable[None]]
    at_midnight: Callable[[], Awaitable[None]]


class RankingApp(NamedTuple):
    """The Faust app, and its windowed table."""

    app: Any
    table: SalesTable


def create_ranking_app(
    settings: FaustSettings,
    topics: Topics,
    zone: ZoneInfo,
    hooks: RankingHooks,
    *,
    hours: int = WINDOW_HOURS,
) -> RankingApp:
    """Make the app. None of the hooks may raise: Faust swallows it, or dies of it."""
    app = create_faust_app(settings)
    app.conf.Table = SalesTable
    app.conf.producer_linger = LINGER_SECONDS
    source = topics.product_sales
    # The changelog's key is JSON of key and window; raw keys would crash Faust's producer.
    table = app.Table(
        TABLE,
        key_type=str,
        value_type=bytes,
        partitions=source.partitions,
    )
    table.tumbling(timedelta(milliseconds=HOUR_MS), expires=timedelta(hours=hours))
    table.on_recover(hooks.load)

    async def count_sales(stream: SaleStream) -> None:
        await hooks.process(stream)

    raw = app.topic(source.name, key_type=bytes, value_type=bytes, allow_empty=True)
    app.agent(raw, name="count-sales", concurrency=1)(count_sales)

    async def store_daily_ranking() -> None:
        await hooks.at_midnight()

    app.crontab("0 0 * * *", timezone=zone)(store_daily_ranking)
    return RankingApp(app, table)


def changelog_topic(group: str, topics: Topics, hours: int = WINDOW_HOURS) -> Topic:
    """Name the table's changelog as Faust does. Nothing reads it back: it may be lost.

    An hour that leaves the window gets no tombstones: its records are too old to be kept.
    """
    config = {"cleanup.policy": "compact,delete", "retention.ms": str(hours * HOUR_MS)}
    return Topic(f"{group}-{TABLE}-changelog", topics.product_sales.partitions, config)
