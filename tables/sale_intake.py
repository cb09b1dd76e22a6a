"""Takes records of `product-sales`: counts what is a sale, and makes dead letters of the rest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, Protocol
from uuid import UUID

from aiokafka import AIOKafkaProducer

from streams.outbox import dead_letter
from streams.records import Place, Record
from streams.stopping import check_stopping
from streams.topics import Topics
from tables.clock import now_ms
from tables.live import LiveSales
from tables.sale_reader import NoSale, read_rebuild, read_sale


class SaleStream(Protocol):
    """What is used of a Faust stream."""

    def events(self) -> AsyncIterator[Any]:
        """Iterate over events; each is acknowledged when the next one is asked for."""
        ...


class SaleIntake:
    """The body of the ranking's agent. No exception leaves it: Faust would lose records."""

    def __init__(
        self,
        live: LiveSales,
        producer: AIOKafkaProducer,
        topics: Topics,
        *,
        reload: Callable[[], Awaitable[None]],
        leave: Callable[[str], NoReturn],
    ) -> None:
        self._live = live
        self._reload = reload
        self._rebuilt: set[tuple[int, UUID]] = set()
        self._producer = producer
        self._topics = topics
        self._leave = leave

    async def process(self, stream: SaleStream) -> None:
        """Take one event after the other. Plain iteration: the table asks for its event."""
        async for event in stream.events():
            try:
                await self.take(record_of(event.message))
            except Exception as error:
                check_stopping(error)
                self._leave("a sale could not be counted")

    async def take(self, record: Record) -> None:
        """Count one sale, or load anew on request; anything else becomes a dead letter."""
        sale = read_sale(record, self._topics, now_ms())
        if not isinstance(sale, NoSale):
            self._live.count(sale, record.place.partition)
        elif (rebuild_id := read_rebuild(record)) is not None:
            await self._rebuild(rebuild_id)
        else:
            # A worker that is stopping finishes this: its producer is flushed last.
            await asyncio.shield(self._bury(record, sale))

    async def _rebuild(self, rebuild_id: UUID) -> None:
        """Load all own partitions anew, at the first of the requests that they each hold."""
        request = (self._live.assignment.generation, rebuild_id)
        if request not in self._rebuilt:
            await self._reload()
            self._rebuilt.add(request)

    async def _bury(self, record: Record, refusal: NoSale) -> None:
        """Send a record to `dead-letters`, and wait until it is there."""
        letter = dead_letter(record, refusal.reason, refusal.detail, self._topics)
        await self._producer.send_and_wait(letter.topic, bytes(letter.value), key=letter.key)


def record_of(message: Any) -> Record:
    """Turn Faust's message into a record; Faust counts time in seconds."""
    headers = message.headers or ()
    return Record(
        Place(message.topic, message.partition, message.offset),
        message.key,
        message.value,
        list(headers.items() if isinstance(headers, dict) else headers),
        round((message.timestamp or 0) * 1000),
        message.timestamp_type or 0,
    )
