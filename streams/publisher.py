"""Publishes what a batch stored, outcomes and events, in order, until the broker has it."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from storage.command_log import Disposition, LogRow
from streams import wire
from streams.outbox import StoredEvent, decode_outbox
from streams.topics import Topics

# A send that takes longer is given up: the worker leaves, and the replay publishes again. It is
# shorter than the rebalance timeout, so that the partitions' next owner is not kept waiting.
SEND_SECONDS_MAX = 12

Sending = asyncio.Future[object]
"""Done once the broker has the record; fails where it could not be sent."""

_encode = msgspec.json.Encoder().encode


class Publisher:
    """An idempotent producer of results and events. Nothing is done until the broker has it."""

    def __init__(self, kafka_url: str, topics: Topics) -> None:
        self._kafka_url = kafka_url
        self._results = topics.command_results
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka_url,
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=SEND_SECONDS_MAX * 1000,
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
        """Hand the records of these rows to the producer, in order; each future is one's fate."""
        return [sending for row in rows for sending in await self._publish_row(row)]

    async def _publish_row(self, row: LogRow) -> list[Sending]:
        futures = [await self._send_event(event) for event in decode_outbox(row.events)]
        futures.append(await self._send_result(row))
        return futures

    async def _send_event(self, event: StoredEvent) -> Sending:
        assert self._producer is not None
        future: Sending = await self._producer.send(
            event.topic, bytes(event.value), key=event.key, timestamp_ms=event.timestamp_ms
        )
        return future

    async def _send_result(self, row: LogRow) -> Sending:
        assert self._producer is not None
        future: Sending = await self._producer.send(
            self._results.name,
            _encode(result_of(row)),
            key=row.key.encode() if row.key else None,
            partition=results_partition_of(row, self._results.partitions),
        )
        return future


def results_partition_of(row: LogRow, partitions: int) -> int | None:
    """Return where a result goes: where its record asks for, or None where its key decides.

    Without a key chance would decide, and a replay's result would stand elsewhere than the
    first, after results of later records: so it is the number of the record's own partition.
    """
    if row.reply_to is not None or row.key:
        return row.reply_to
    return row.partition % partitions


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
