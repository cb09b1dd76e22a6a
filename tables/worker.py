"""The ranking worker: everything between `product-sales` and `product-top`, as one service."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from domain.comparison import Comparison
from domain.ranking import WINDOW_HOURS, Window
from storage.engine import Database
from streams.admin import ensure_topics
from streams.app import FaustSettings
from streams.faust_watch import FaustWatch, LookLimits, looks_for
from streams.kafka_access import kafka_options
from streams.leave import leave
from streams.membership import LOOK_SECONDS, Membership
from streams.records import Partition
from streams.topics import Topic, Topics
from tables.app import RankingHooks, changelog_topic, create_ranking_app
from tables.checking import Checks
from tables.daily import Clock, DailyBatch, DailyTerms
from tables.health import RankingHealth
from tables.live import LiveSales
from tables.loading import Assignment
from tables.owners import Owners, check_everywhere
from tables.sale_intake import SaleIntake
from tables.sales_loader import SalesLoader
from tables.top_lists import TopListReader
from tables.top_publisher import TopPublisher
from tables.views import Sources, add_views

log = logging.getLogger(__name__)

SEND_SECONDS_MAX = 12
# A broker that is away must not hold up a worker that is to stop.
LAST_SECONDS_MAX = 2.0


class RankingWorker:
    """Keeps the live ranking from `start` to `stop`; `failed` returns when it cannot go on.

    One in a process: two Faust apps cannot be stopped cleanly beside each other.
    """

    def __init__(
        self,
        faust_settings: FaustSettings,
        database: Database,
        topics: Topics,
        zone: ZoneInfo,
        *,
        replication: int = 1,
        retry_seconds_max: float = 15.0,
        hours: int = WINDOW_HOURS,
        owner: str = "",
        daily_clock: Clock | None = None,
        looks: LookLimits | None = None,
    ) -> None:
        self._faust_settings = faust_settings
        self._database = database
        self._topics = topics
        self._replication = replication
        self._retry_seconds_max = retry_seconds_max
        self._hours = hours
        self._owner = owner
        self._tasks: list[asyncio.Task[None]] = []
        self._producer: AIOKafkaProducer | None = None
        self._publisher: TopPublisher | None = None
        terms = DailyTerms(zone, self._offsets_at, self._compare, hours, daily_clock)
        self._daily = DailyBatch(database, terms)
        self._zone = zone
        self._app: Any = None
        self._top_lists = TopListReader(faust_settings.kafka_url, topics, hours)
        self.health = RankingHealth(database, faust_settings.kafka_url, topics.product_sales)
        self._looks = looks or looks_for(retry_seconds_max)
        self._loads = 0

    async def start(self) -> None:
        """Take part in the group; returns once the sums of the own partitions are loaded."""
        settings = self._faust_settings
        changelog = changelog_topic(settings.group, self._topics, self._hours)
        await ensure_topics(settings.kafka_url, [changelog], replication=self._replication)
        self._producer = AIOKafkaProducer(
            **kafka_options(settings.kafka_url),
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=SEND_SECONDS_MAX * 1000,
        )
        await self._producer.start()
        self._make_app(self._producer)
        await self._top_lists.start()
        await self._app.start()
        self._publisher = TopPublisher(self._live, self._producer, self._topics.product_top.name)
        self._run(self._publisher.run())
        self._run(self._daily.run())
        await self.health.start()
        self._run(self.health.run(self._watch, self._is_loading, self._looks))

    def _make_app(self, producer: AIOKafkaProducer) -> None:
        hooks = RankingHooks(self._process, self.reload, self._daily.wake)
        ranking = create_ranking_app(
            self._faust_settings, self._topics, self._zone, hooks, hours=self._hours
        )
        self._app = ranking.app
        self._watch = FaustWatch(self._app, self.health.liveness, self._looks)
        self._live = LiveSales(ranking.table, hours=self._hours, owner=self._owner)
        self._loader = SalesLoader(
            self._live,
            self._database,
            self._assignment,
            leave,
            retry_seconds_max=self._retry_seconds_max,
        )
        self._intake = SaleIntake(
            self._live, producer, self._topics, reload=self.reload, leave=leave
        )
        self._owners = Owners(self._topics.product_sales.partitions, self._top_lists.lists)
        checks = Checks(self._live, self._database)
        sources = Sources(
            self._live, checks, self._owners, self._top_lists, self.status, self.health
        )
        add_views(self._app, sources)

    def status(self) -> dict[str, bool]:
        """Return each check by name; the worker is ready when all hold."""
        live = self._live
        is_present = live.assignment.generation == self._app.consumer_generation_id
        return {
            "assignment": self._watch.is_assigned,
            "recovery": self._watch.is_recovered,
            "loaded": is_present and live.loaded_at_ms > 0,
        }

    async def _process(self, stream: Any) -> None:
        await self._intake.process(stream)

    async def reload(self) -> None:
        """Load the present assignment anew; called from within the agent's body, which waits.

        Never raises: what cannot be loaded ends the process.
        """
        self._loads += 1
        await self._loader.load()
        self._loads -= 1

    def _is_loading(self) -> bool:
        return self._loads > 0

    def _assignment(self) -> Assignment:
        topic = self._topics.product_sales
        own = {tp.partition for tp in self._app.consumer.assignment() if tp.topic == topic.name}
        return Assignment(self._app.consumer_generation_id, own, topic.partitions)

    async def _offsets_at(self, at_ms: int) -> Mapping[Partition, int]:
        return await offsets_at(self._faust_settings.kafka_url, self._topics.user_commands, at_ms)

    async def _compare(self, window: Window) -> Comparison:
        return await check_everywhere(self._owners, window)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(coroutine))

    def _why_ended(self) -> str:
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return f"{task.get_coro()!r} ended: {task.exception()!r}"
        return ""

    async def failed(self) -> str:
        """Return, with the reason, once the worker cannot go on; the process should leave."""
        membership = Membership(self._app)
        while not (  # noqa: ASYNC110 - Faust has no event.
            why := membership.why_ended() or self._why_ended()
        ):
            await asyncio.sleep(LOOK_SECONDS)
        return why

    async def stop(self) -> None:
        """Finish what is in hand, acknowledge it, publish what changed, and disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._app is not None:
            await self._app.stop()
        if self._publisher is not None:
            # Sales of the last moment are counted but not shown, and perhaps nobody else is there.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._publisher.publish(), LAST_SECONDS_MAX)
        await self._top_lists.stop()
        await self.health.stop()
        if self._producer is not None:
            await self._producer.stop()


async def offsets_at(kafka_url: str, topic: Topic, at_ms: int) -> dict[Partition, int]:
    """Return the offset that each partition of a topic had come to by a time."""
    consumer = AIOKafkaConsumer(**kafka_options(kafka_url), group_id=None)
    await consumer.start()
    try:
        listed = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        ends = await consumer.end_offsets(listed)
        later = await consumer.offsets_for_times(dict.fromkeys(listed, at_ms))
    finally:
        await consumer.stop()
    return {
        (tp.topic, tp.partition): ends[tp] if later[tp] is None else later[tp].offset
        for tp in listed
    }
