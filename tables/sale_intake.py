"""Takes records of `product-sales`: counts what is a sale, and makes dead letters of the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn, Protocol

from aiokafka import AIOKafkaProducer

from streams.outbox import dead_letter
from streams.records import Place, Record
from streams.topics import Topics
from tables.clock import now_ms
from tables.live import LiveSales
from tables.sale_reader import NoSale, read_sale


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
        leave: Callable[[str], NoReturn],
    ) -> None:
        self._live = live
        self._producer = producer
        self._topics = topics
        self._leave = leave

    async def process(self, stream: SaleStream) -> None:
        """Take one event after the other. Plain iteration: the table asks for its event."""
        async for event in stream.events():
            try:
                await self.take(record_of(event.message))
            except Exception:
                self._leave("a sale could not be counted")

    async def take(self, record: Record) -> None:
        """Count one sale, or send its record to `dead-letters` and wait until it is there."""
        sale = read_sale(record, self._topics, now_ms())
        if isinstance(sale, NoSale):
            # A worker that is stopping finishes this: its producer is flushed last.
            await asyncio.shield(self._bury(record, sale))
        else:
            self._live.count(sale, record.place.partition)

    async def _bury(self, record: Record, refusal: NoSale) -> None:
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
