"""Publishes what a batch stored, outcomes and events, in order, until the broker has it."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer

from storage.command_log import Disposition, LogRow
from streams import codec, wire
from streams.bundle import Sending, send_bundle
from streams.kafka_access import kafka_options
from streams.outbox import decode_outbox
from streams.records import Partition
from streams.topics import Topics

__all__ = ["Publisher", "Sending"]

# A send that takes longer is given up: the worker leaves, and the replay publishes again. It is
# shorter than the rebalance timeout, so that the partitions' next owner is not kept waiting.
SEND_SECONDS_MAX = 12

# The results of one batch for one edge: they go in one request instead of one after the other.
BUNDLE_BYTES_MAX = 256 * 1024

_encode = msgspec.json.Encoder().encode


class Outgoing(NamedTuple):
    """A record to publish; without a time of its own it gets that of its sending."""

    key: bytes | None
    value: bytes
    timestamp_ms: int | None


class Publisher:
    """An idempotent producer of results and events. Nothing is done until the broker has it."""

    def __init__(self, kafka_url: str, topics: Topics) -> None:
        self._kafka_url = kafka_url
        self._results = topics.command_results
        self._partitions = {topic.name: topic.partitions for topic in topics.all}
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            **kafka_options(self._kafka_url),
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=SEND_SECONDS_MAX * 1000,
            max_batch_size=BUNDLE_BYTES_MAX,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is waiting, and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, rows: Sequence[LogRow]) -> None:
        """Publish the outcome and the events of each row, in order, and wait for them all.

        Raises the broker's error at the first record that could not be sent.
        """
        await asyncio.gather(*await self.hand_over(rows))

    async def hand_over(self, rows: Sequence[LogRow]) -> list[Sending]:
        """Hand the records of these rows to the producer; each future is the fate of some.

        What goes to one partition goes together, in the order of the rows.
        """
        to_records: dict[Partition, list[Outgoing]] = {}
        for row in rows:
            for to, record in self._records_of(row):
                to_records.setdefault(to, []).append(record)
        return [
            sending
            for to, records in to_records.items()
            for sending in await self._send(to, records)
        ]

    def _records_of(self, row: LogRow) -> Iterator[tuple[Partition, Outgoing]]:
        for event in decode_outbox(row.events):
            to = event.topic, partition_for(event.key, row, self._partitions[event.topic])
            yield to, Outgoing(event.key, bytes(event.value), event.timestamp_ms)
        key = row.key.encode() if row.key else None
        results = self._results
        number = row.reply_to
        if number is None:
            number = partition_for(key, row, results.partitions)
        yield (results.name, number), Outgoing(key, _encode(result_of(row)), None)

    async def _send(self, to: Partition, records: Sequence[Outgoing]) -> list[Sending]:
        assert self._producer is not None
        sent = []
        bundle = self._producer.create_batch()
        for record in records:
            if not _put(bundle, record):
                sent.append(await send_bundle(self._producer, bundle, to))
                bundle = self._producer.create_batch()
                _put(bundle, record)
        sent.append(await send_bundle(self._producer, bundle, to))
        return sent


def _put(bundle: Any, record: Outgoing) -> bool:
    """Put a record in a bundle, if there is room; in an empty one there is."""
    key, value, timestamp_ms = record
    return bundle.append(timestamp=timestamp_ms, key=key, value=value) is not None


def partition_for(key: bytes | None, row: LogRow, partitions: int) -> int:
    """Return where a record of this key goes, for whoever did not ask for a place.

    Without a key chance would decide, and what a replay publishes would stand elsewhere than the
    first, after that of later records: so it is the number of the row's own partition.
    """
    return codec.partition_of(key, partitions) if key else row.partition % partitions


def result_of(row: LogRow) -> wire.CommandResult:
    """Make the result record of a log row."""
    return wire.CommandResult(
        command_id=row.command_id,
        request_token=row.request_token,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        status=row.status,
        body=msgspec.Raw(row.body.encode()),
        replayed=row.disposition == Disposition.REPEATED,
    )
