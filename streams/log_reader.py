"""Reads the log beside the consumer group: what a hole holds, where partitions begin and end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka_access import kafka_options
from streams.records import Partition, Place, Record

# A request waits behind the fetch before it, which waits so long for records that never come.
_FETCH_MS = 20
_READ_SECONDS_MAX = 5
# One chunk of a hole is one batch; the next is read when it is applied.
CHUNK_RECORDS = 500


class LogGoneError(Exception):
    """The broker no longer has records that were never applied."""


def record_of(message: Any) -> Record:
    """Turn a consumer's record into ours."""
    return Record(
        Place(message.topic, message.partition, message.offset),
        message.key,
        message.value,
        message.headers,
        message.timestamp,
        message.timestamp_type,
    )


class LogReader:
    """A consumer without a group, read committed: it moves nobody's offsets."""

    def __init__(self, kafka_url: str) -> None:
        self._kafka_url = kafka_url
        self._consumer: AIOKafkaConsumer | None = None
        # The agents share one reader, and it reads one place at a time.
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        self._consumer = AIOKafkaConsumer(
            **kafka_options(self._kafka_url),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_MS,
        )
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, range]:
        """Return the offsets that each partition holds, from its first to its next."""
        assert self._consumer is not None
        listed = [TopicPartition(*partition) for partition in partitions]
        # Asked for offsets of topics that it does not know, the client sleeps for each of them.
        await asyncio.gather(*map(self._consumer._client.add_topic, {tp.topic for tp in listed}))
        first = await self._consumer.beginning_offsets(listed)
        end = await self._consumer.end_offsets(listed)
        return {(tp.topic, tp.partition): range(first[tp], end[tp]) for tp in listed}

    async def first_since(
        self, bounds: Mapping[Partition, range], at_ms: int
    ) -> dict[Partition, int]:
        """Return the offset of each partition's first record of this broker time or a later one.

        Where there is none it is the partition's end.
        """
        assert self._consumer is not None
        wanted = {TopicPartition(*partition): at_ms for partition in bounds}
        found = await self._consumer.offsets_for_times(wanted)
        return {
            (tp.topic, tp.partition): bounds[tp.topic, tp.partition].stop
            if first is None
            else first.offset
            for tp, first in found.items()
        }

    @asynccontextmanager
    async def _assigned(self, listed: list[TopicPartition]) -> AsyncIterator[None]:
        """Take turns, and fetch nothing in between."""
        assert self._consumer is not None
        async with self._turn:
            self._consumer.assign(listed)
            try:
                yield
            finally:
                self._consumer.pause(*listed)

    async def read_at(self, places: Iterable[Place]) -> dict[Place, Record]:
        """Read the records at these places, one per partition, those that are still there."""
        assert self._consumer is not None
        wanted = {(place.topic, place.partition): place for place in places}
        if not wanted:
            return {}
        async with self._assigned([TopicPartition(*partition) for partition in wanted]):
            return await self._read_at(wanted)

    async def _read_at(self, wanted: dict[Partition, Place]) -> dict[Place, Record]:
        assert self._consumer is not None
        for partition, place in wanted.items():
            self._consumer.seek(TopicPartition(*partition), place.offset)
        found: dict[Place, Record] = {}
        deadline = time.monotonic() + _READ_SECONDS_MAX
        while wanted and time.monotonic() < deadline:
            fetched = await self._consumer.getmany(timeout_ms=_FETCH_MS, max_records=len(wanted))
            for tp, messages in fetched.items():
                place_wanted = wanted.pop((tp.topic, tp.partition), None)
                record = record_of(messages[0])
                if record.place == place_wanted:
                    found[record.place] = record
                self._consumer.pause(tp)
            # A marker is passed without a word.
            for (topic, number), place in list(wanted.items()):
                if await self._consumer.position(TopicPartition(topic, number)) > place.offset:
                    del wanted[topic, number]
        return found

    async def read(
        self, topic: str, partition: int, first: int, end: int, *, least: int = CHUNK_RECORDS
    ) -> list[Record]:
        """Read the records from `first` up to `end`, so many at least; empty if there are none.

        `end` must not be past the end of the log.
        Raises LogGoneError where the log begins after `first`.
        """
        held = (await self.bounds([(topic, partition)]))[topic, partition]
        if held.start > first:
            message = f"{topic}[{partition}] begins at {held.start}, needed is {first}"
            raise LogGoneError(message)
        tp = TopicPartition(topic, partition)
        async with self._assigned([tp]):
            return await self._read(tp, first, end, least)

    async def _read(self, tp: TopicPartition, first: int, end: int, least: int) -> list[Record]:
        assert self._consumer is not None
        self._consumer.seek(tp, first)
        records: list[Record] = []
        # The position moves past markers and aborted records too, which are never returned.
        while len(records) < least and await self._consumer.position(tp) < end:
            fetched = await self._consumer.getmany(timeout_ms=_FETCH_MS, max_records=least)
            records += [record_of(m) for m in fetched.get(tp, ()) if m.offset < end]
        return records
