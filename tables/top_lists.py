"""The edge's side of the ranking: reads `product-top` and merges the partitions' lists."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from domain.ranking import (
    TOP_MAX,
    WINDOW_HOURS,
    TopEntry,
    TopList,
    Window,
    live_window,
    merge_tops,
    supersedes,
)
from streams.kafka_access import kafka_options
from streams.stopping import check_stopping
from streams.topics import Topics
from tables.clock import now_ms
from tables.shapes import decode_top

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
FETCH_MS = 500
# Windows that are kept while their lists come in; a partition that has no owner stays behind.
WINDOWS_MAX = 2


@dataclass(frozen=True, slots=True)
class TopView:
    """The merged ranking: best sellers first, when it was so, and the window it sums."""

    entries: tuple[TopEntry, ...]
    as_of_ms: int
    window: Window


class TopLists:
    """The newest list of each partition, and what they say together.

    Only lists of one window are merged. While partitions turn from one hour to the next, the last
    window of which all lists are there is shown; where there is none, the newest window's lists.
    """

    def __init__(self, partitions: int, hours: int = WINDOW_HOURS) -> None:
        self._partitions = partitions
        self._hours = hours
        self._lists: dict[int, TopList] = {}
        self._by_window: dict[Window, dict[int, TopList]] = {}
        self._shown: Window | None = None
        self._merged: TopView | None = None

    def put(self, top: TopList) -> None:
        """Take a list as it comes from the log."""
        if not 0 <= top.partition < self._partitions:
            return
        if not supersedes(top, self._lists.get(top.partition)):
            return
        self._lists[top.partition] = top
        self._by_window.setdefault(top.window, {})[top.partition] = top
        newest = sorted(self._by_window, key=self._age, reverse=True)
        self._shown = next(filter(self._is_whole, newest), newest[0])
        self._by_window = {w: self._by_window[w] for w in {self._shown, *newest[:WINDOWS_MAX]}}
        self._merged = None

    def _age(self, window: Window) -> tuple[int, int]:
        # Where the length of the window is changed, two of them end at the same time.
        return window.end_ms, max(top.as_of_ms for top in self._by_window[window].values())

    def _is_whole(self, window: Window) -> bool:
        return len(self._by_window[window]) == self._partitions

    @property
    def is_whole(self) -> bool:
        """Tell whether what is shown is the merge of all partitions' lists."""
        return self._shown is not None and self._is_whole(self._shown)

    def lists(self) -> Mapping[int, TopList]:
        """Return the newest list of each partition that has one."""
        return self._lists

    def view(self, limit: int = TOP_MAX) -> TopView:
        """Return the best sellers; none, as of now, where no list was ever published."""
        if self._shown is None:
            return TopView((), now_ms(), live_window(now_ms(), self._hours))
        if self._merged is None:
            self._merged = _merge(self._shown, self._by_window[self._shown].values())
        return TopView(self._merged.entries[:limit], self._merged.as_of_ms, self._merged.window)


def _merge(window: Window, lists: Collection[TopList]) -> TopView:
    return TopView(merge_tops(lists), max(top.as_of_ms for top in lists), window)


class TopListReader:
    """Follows `product-top` without a group, from its beginning, until stopped."""

    def __init__(self, kafka_url: str, topics: Topics, hours: int = WINDOW_HOURS) -> None:
        self._kafka_url = kafka_url
        numbers = range(topics.product_sales.partitions)
        self._partitions = [TopicPartition(topics.product_top.name, each) for each in numbers]
        self._hours = hours
        self._lists = TopLists(len(numbers), hours)
        self._caught_up = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Tell whether all that the topic held at the start was read."""
        return self._caught_up.is_set()

    def top(self, limit: int = 5) -> TopView:
        """Return the best sellers as of the last lists; they stay while no worker is there."""
        return self._lists.view(limit)

    def lists(self) -> Mapping[int, TopList]:
        """Return the newest list of each partition that has one."""
        return self._lists.lists()

    def next_change(self) -> asyncio.Event:
        """Return what is set at the next change; ask for it before you look at the top."""
        return self._changed

    async def start(self) -> None:
        """Begin to read; returns at once, also while the broker is away."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception as error:
                check_stopping(error)
                log.warning("top lists cannot be read: %r", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **kafka_options(self._kafka_url),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            await self._read(consumer)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._partitions)
        await consumer.seek_to_beginning(*self._partitions)
        ends = await consumer.end_offsets(self._partitions)
        # Read anew, the past must not be shown again: the old view stays until this one is whole.
        lists = TopLists(len(self._partitions), self._hours)
        while True:
            fetched = await consumer.getmany(timeout_ms=FETCH_MS)
            for messages in fetched.values():
                for message in messages:
                    _put(lists, message.value)
            if lists is self._lists:
                if fetched:
                    self._tell()
            elif await self._may_replace(lists, consumer, ends):
                self._lists = lists
                self._caught_up.set()
                self._tell()

    async def _may_replace(
        self, lists: TopLists, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
    ) -> bool:
        """Tell whether lists that are read anew may be shown in place of the ones held."""
        positions = [await consumer.position(each) >= end for each, end in ends.items()]
        return all(positions) and (lists.is_whole or not self._lists.is_whole)

    def _tell(self) -> None:
        told, self._changed = self._changed, asyncio.Event()
        told.set()


def _put(lists: TopLists, value: bytes | None) -> None:
    if value is None:
        return
    try:
        lists.put(decode_top(value))
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("a record of product-top is no top list: %s", error)
