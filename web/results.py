"""The outcomes that come back to this edge: a consumer of its partition of the results topic."""

import asyncio
import logging
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import wire
from streams.kafka_access import kafka_options
from streams.stopping import check_stopping
from streams.topics import Topic
from web.lines import Lines

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
_POLL_MS = 1000

_decode = msgspec.json.Decoder(wire.CommandResult).decode


class Waiter:
    """A request that waits for the outcome of its command."""

    __slots__ = ("command_id", "future", "principal")

    def __init__(
        self, command_id: str, future: asyncio.Future[wire.CommandResult], principal: str = ""
    ) -> None:
        self.command_id = command_id
        self.principal = principal
        self.future = future


class Results:
    """Wakes the request whose token a result carries. Reads without a group, from its start on.

    Every edge has a partition of its own, or shares one: it skips tokens that it does not know.
    """

    def __init__(self, kafka_url: str, topic: Topic, edge_number: int, lines: Lines) -> None:
        self.partition = edge_number % topic.partitions
        self._kafka_url = kafka_url
        self.place = TopicPartition(topic.name, self.partition)
        self._lines = lines
        self._waiters: dict[str, Waiter] = {}
        self._position: int | None = None
        self.end = 0
        """How far the partition was written when the broker was last asked."""

    @property
    def is_ready(self) -> bool:
        """Tell whether no result of a command that is sent from now on can be missed."""
        return self._position is not None

    @property
    def position(self) -> int | None:
        """The offset of the next result to be read; None until the start is fixed."""
        return self._position

    @property
    def awaited(self) -> int:
        """How many results requests wait for."""
        return len(self._waiters)

    def expect(self, token: str, command_id: str, principal: str = "") -> Waiter:
        """Return who waits for the result with this token; `forget` it in the end."""
        waiter = Waiter(command_id, asyncio.get_running_loop().create_future(), principal)
        self._waiters[token] = waiter
        return waiter

    def forget(self, token: str) -> None:
        """Wait for this token no longer."""
        self._waiters.pop(token, None)

    def is_awaited(self, command_id: str, principal: str | None = None) -> bool:
        """Tell whether a request of this edge waits for this command, of this principal."""
        return any(
            waiter.command_id == command_id and principal in (None, waiter.principal)
            for waiter in self._waiters.values()
        )

    async def finish(self, seconds_max: float) -> None:
        """Wait so long for the results that requests wait for."""
        futures = [waiter.future for waiter in self._waiters.values()]
        if futures:
            await asyncio.wait(futures, timeout=seconds_max)

    async def run(self) -> None:
        """Follow the results until cancelled, from the same position after every fault."""
        while True:
            try:
                await self._follow()
            except Exception as error:
                check_stopping(error)
                log.warning("results: %r; connecting again", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **kafka_options(self._kafka_url),
            enable_auto_commit=False,
            # Only where the position is gone from the log: then all there is may be new to us.
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            consumer.assign([self.place])
            if self._position is None:
                self._position = (await consumer.end_offsets([self.place]))[self.place]
            consumer.seek(self.place, self._position)
            while True:
                batches = await consumer.getmany(timeout_ms=_POLL_MS)
                self._take(batches.get(self.place, ()))
                # Markers of a stranger's transaction are passed without a record.
                self._position = await consumer.position(self.place)
        finally:
            await consumer.stop()

    def _take(self, records: Any) -> None:
        for record in records:
            self._position = record.offset + 1
            try:
                result = _decode(record.value)
            except (msgspec.DecodeError, TypeError) as error:
                log.warning("results: offset %d is no result: %s", record.offset, error)
                continue
            self._lines.note_applied(result.topic, result.partition, result.offset)
            waiter = self._waiters.pop(result.request_token or "", None)
            if waiter is not None and not waiter.future.done():
                waiter.future.set_result(result)
