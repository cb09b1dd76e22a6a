"""An edge's reader of `product-top` on real Kafka: what it shows, whatever the topic holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest_asyncio
from aiokafka import AIOKafkaProducer

from domain.ranking import HOUR_MS, TopEntry, TopList, live_window
from tables.clock import now_ms
from tables.shapes import encode_top
from tables.top_lists import TopListReader
from tests.client import SECONDS_MAX, eventually
from tests.installation import PARTITIONS, Installation

LONG_AGO = 1_773_146_096_789


class Owner:
    """A worker that owns every partition, as far as the topic can tell."""

    def __init__(self, producer: Any, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self.top_list = TopList(0, 3, live_window(LONG_AGO), LONG_AGO, (), "", LONG_AGO)

    async def publish(self, partition: int, *entries: tuple[int, int], **changes: Any) -> None:
        shown = tuple(TopEntry(*each) for each in entries)
        top = replace(self.top_list, partition=partition, entries=shown, **changes)
        await self.append(partition, encode_top(top))

    async def publish_all(self, *entries: tuple[int, int], **changes: Any) -> None:
        """One list with these entries, and empty ones of the other partitions."""
        await self.publish(0, *entries, **changes)
        for partition in range(1, PARTITIONS):
            await self.publish(partition, **changes)

    async def append(self, partition: int, value: bytes | None) -> None:
        key = str(partition).encode()
        await self._producer.send_and_wait(self._topic, value, key=key, partition=partition)


@pytest_asyncio.fixture
async def owner(installation: Installation) -> AsyncIterator[Owner]:
    url = installation.settings.kafka_url
    async with AIOKafkaProducer(bootstrap_servers=url) as producer:
        yield Owner(producer, installation.topics.product_top.name)


@asynccontextmanager
async def reading(installation: Installation) -> AsyncIterator[TopListReader]:
    reader = TopListReader(installation.settings.kafka_url, installation.topics)
    assert not reader.ready
    await reader.start()
    try:
        await eventually(lambda: reader.ready, "the top lists of before")
        yield reader
    finally:
        await reader.stop()


async def shows(reader: TopListReader, *entries: tuple[int, int]) -> None:
    await eventually(lambda: reader.top().entries == entries, f"{entries} on top")


async def test_an_edge_that_starts_without_a_worker_shows_the_last_lists_and_their_window(
    installation: Installation, owner: Owner
) -> None:
    await owner.publish_all((1, 5), as_of_ms=LONG_AGO - 1)
    await owner.publish_all((1, 7))
    async with reading(installation) as reader:
        assert reader.top().entries == ((1, 7),)
        assert reader.top().window == live_window(LONG_AGO)
        assert reader.top().as_of_ms == LONG_AGO
        assert sorted(reader.lists()) == list(range(PARTITIONS))


async def test_what_is_no_list_disturbs_nobody(installation: Installation, owner: Owner) -> None:
    await owner.publish_all((1, 5))
    for value in (b"", b"{}", b"\xff", None):
        await owner.append(1, value)
    await owner.append(1, encode_top(replace(owner.top_list, partition=PARTITIONS)))
    async with reading(installation) as reader:
        assert reader.top().entries == ((1, 5),)
        await owner.publish(1, (2, 6))
        await shows(reader, (2, 6), (1, 5))


async def test_a_change_is_told_to_whoever_asked_before_it(
    installation: Installation, owner: Owner
) -> None:
    async with reading(installation) as reader:
        before = reader.next_change()
        await owner.publish(0, (1, 5))
        async with asyncio.timeout(SECONDS_MAX):
            await before.wait()
        assert reader.top().entries == ((1, 5),)
        assert not reader.next_change().is_set()


async def test_a_reader_that_comes_between_two_hours_shows_the_last_whole_one(
    installation: Installation, owner: Owner
) -> None:
    next_hour = live_window(LONG_AGO + HOUR_MS)
    await owner.publish_all((1, 5))
    await owner.publish(0, (1, 6), window=next_hour)
    async with reading(installation) as reader:
        await shows(reader, (1, 5))
        for partition in range(1, PARTITIONS):
            await owner.publish(partition, window=next_hour)
        await shows(reader, (1, 6))
        assert reader.top().window == next_hour


async def test_a_new_owner_is_heard_though_its_group_began_anew(
    installation: Installation, owner: Owner
) -> None:
    at_ms = now_ms()
    window = live_window(at_ms)
    await owner.publish_all((1, 5), generation=40, window=window, loaded_at_ms=at_ms - 60_000)
    async with reading(installation) as reader:
        await shows(reader, (1, 5))
        await owner.publish_all((1, 6), generation=1, window=window, loaded_at_ms=at_ms)
        await shows(reader, (1, 6))
        zombie = {"generation": 40, "window": window, "loaded_at_ms": at_ms - 60_000}
        await owner.publish(0, (1, 4), **zombie)
        await owner.publish(1, (2, 1), generation=1, window=window, loaded_at_ms=at_ms)
        await shows(reader, (1, 6), (2, 1))
