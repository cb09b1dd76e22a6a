"""The edge's side of the ranking: reads `product-top` and merges the partitions' lists."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
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
from tables.clock import now_ms
from tables.shapes import decode_top

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
FETCH_MS = 500


@dataclass(frozen=True, slots=True)
class TopView:
    """The merged ranking: best sellers first, when it was so, and the window it sums."""

    entries: tuple[TopEntry, ...]
    as_of_ms: int
    window: Window


class TopLists:
    """The newest list of each partition, and what they say together."""

    def __init__(self, partitions: int, hours: int = WINDOW_HOURS) -> None:
        self._partitions = partitions
        self._hours = hours
        self._lists: dict[int, TopList] = {}
        self._merged: TopView | None = None
        self._was_whole = False

    def put(self, top: TopList) -> None:
        """Take a list as it comes from the log."""
        if not 0 <= top.partition < self._partitions:
            return
        if not supersedes(top, self._lists.get(top.partition)):
            return
        self._lists[top.partition] = top
        # Lists of two hours sum two windows: between the hours, the last whole view stays.
        if whole := self._is_whole():
            self._was_whole = whole
        if whole or not self._was_whole:
            self._merged = _merge(self._lists.values())

    def _is_whole(self) -> bool:
        """Tell whether all partitions' lists are there, and all sum the same window."""
        windows = {top.window for top in self._lists.values()}
        return len(windows) == 1 and len(self._lists) == self._partitions

    def lists(self) -> Mapping[int, TopList]:
        """Return the newest list of each partition that has one."""
        return self._lists

    def view(self, limit: int = TOP_MAX) -> TopView:
        """Return the best sellers; none, as of now, where no list was ever published."""
        merged = self._merged
        if merged is None:
            return TopView((), now_ms(), live_window(now_ms(), self._hours))
        return TopView(merged.entries[:limit], merged.as_of_ms, merged.window)


def _merge(lists: Iterable[TopList]) -> TopView:
    listed = list(lists)
    newest = max((top.window for top in listed), key=lambda window: window.end_ms)
    as_of_ms = max(top.as_of_ms for top in listed)
    return TopView(merge_tops(listed), as_of_ms, newest)


class TopListReader:
    """Follows `product-top` without a group, from its beginning, until stopped."""

    def __init__(
        self, *, kafka_url: str, topic: str, partitions: int, hours: int = WINDOW_HOURS
    ) -> None:
        self._kafka_url = kafka_url
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._hours = hours
        self._lists = TopLists(partitions, hours)
        self._caught_up = asyncio.Event()
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
                log.warning("top lists cannot be read: %r", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka_url,
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
            for messages in (await consumer.getmany(timeout_ms=FETCH_MS)).values():
                for message in messages:
                    _put(lists, message.value)
            if self._lists is not lists and all(
                [await consumer.position(tp) >= ends[tp] for tp in self._partitions]
            ):
                self._lists = lists
                self._caught_up.set()


def _put(lists: TopLists, value: bytes | None) -> None:
    if value is None:
        return
    try:
        lists.put(decode_top(value))
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("a record of product-top is no top list: %s", error)
