"""Fairline's Kafka side as another service uses it: appends commands, hears what comes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar, overload
from uuid import UUID, uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams import wire, wire_events
from streams.codec import encode_command, key_of, partition_of
from streams.kinds import KINDS
from streams.records import Place
from streams.topics import Topic, Topics

SECONDS_MAX = 45.0
"""How long anything may take before a test gives up waiting for it."""

Headers = Sequence[tuple[str, bytes]]
T = TypeVar("T")


@overload
async def eventually(look: Callable[[], Coroutine[Any, Any, T | None]], what: str) -> T: ...
@overload
async def eventually(look: Callable[[], T | None], what: str) -> T: ...
async def eventually(look: Callable[[], Any], what: str) -> Any:
    """Look again and again until there is something to see, and return it."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        seen = look()
        found = await seen if isinstance(seen, Coroutine) else seen
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"waited {SECONDS_MAX:.0f} s in vain for {what}"
        await asyncio.sleep(0.05)


class Sent(NamedTuple):
    """A command that the broker has."""

    command_id: str
    place: Place


class Raw(NamedTuple):
    """A record as nobody should send it."""

    key: bytes | None
    value: bytes | None
    partition: int = 0


class Producer:
    """Appends to the command topics, each command to the partition of its key."""

    def __init__(self, producer: Any, topics: Topics) -> None:
        self.kafka = producer
        self._topics = topics

    async def send(
        self,
        payload: wire.Shape,
        command_id: UUID | None = None,
        principal: str | None = None,
        headers: Headers = (),
    ) -> Sent:
        """Append a command and wait until the broker has it."""
        return await (await self.start(payload, command_id, principal, headers))

    async def start(
        self,
        payload: wire.Shape,
        command_id: UUID | None = None,
        principal: str | None = None,
        headers: Headers = (),
    ) -> "asyncio.Task[Sent]":
        """Hand a command over, in order; the task ends when the broker has it."""
        uuid = command_id or uuid4()
        topic = self.topic_of(payload)
        key = key_of(payload)
        acknowledged = await self.kafka.send(
            topic.name,
            encode_command(uuid, payload, principal),
            key=key,
            partition=partition_of(key, topic.partitions),
            headers=list(headers),
        )
        return asyncio.create_task(_sent(str(uuid), acknowledged))

    async def send_all(self, payloads: Sequence[wire.Shape]) -> list[Sent]:
        """Append commands, in order, without waiting in between."""
        return list(await asyncio.gather(*[await self.start(payload) for payload in payloads]))

    async def send_raw(self, topic: Topic, raw: Raw, headers: Headers = ()) -> Place:
        """Append any bytes anywhere; a batch by hand has no opinion of what is in it."""
        batch = self.kafka.create_batch()
        batch.append(key=raw.key, value=raw.value, timestamp=None, headers=list(headers))
        batch.close()
        meta = await (await self.kafka.send_batch(batch, topic.name, partition=raw.partition))
        return Place(meta.topic, meta.partition, meta.offset)

    @asynccontextmanager
    async def transaction(self, *, commit: bool) -> AsyncIterator[None]:
        """A Kafka transaction around what is sent in the block."""
        await self.kafka.begin_transaction()
        yield
        await (self.kafka.commit_transaction() if commit else self.kafka.abort_transaction())

    def topic_of(self, payload: wire.Shape) -> Topic:
        """Return where commands of this type go."""
        topic: Topic = getattr(self._topics, KINDS[type(payload).__name__].topic)
        return topic


async def _sent(command_id: str, acknowledged: "asyncio.Future[Any]") -> Sent:
    meta = await acknowledged
    return Sent(command_id, Place(meta.topic, meta.partition, meta.offset))


@asynccontextmanager
async def producing(
    kafka_url: str, topics: Topics, transactional_id: str | None = None
) -> AsyncIterator[Producer]:
    """A producer, connected."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_url,
        enable_idempotence=True,
        transactional_id=transactional_id,
        linger_ms=2,
    ) as producer:
        yield Producer(producer, topics)


class Listener:
    """Hears results, events and dead letters, each topic from its beginning."""

    def __init__(self, topics: Topics) -> None:
        self.results: list[wire.CommandResult] = []
        self.result_partitions: list[int] = []
        self.payments: list[wire_events.OrderPaid] = []
        self.cancellations: list[wire_events.OrderCancelled] = []
        self.sales: list[wire_events.SaleRecorded] = []
        self.letters: list[wire.DeadLetter] = []
        self._by_place: dict[Place, list[wire.CommandResult]] = {}
        self._take: dict[str, Callable[[Any], None]] = {
            topics.command_results.name: self._take_result,
            topics.order_events.name: self._take_order_event,
            topics.product_sales.name: self._take_sale,
            topics.dead_letters.name: _taker(self.letters, wire.DeadLetter),
        }

    @property
    def topics(self) -> Iterable[str]:
        """What it listens to."""
        return self._take

    async def listen(self, consumer: Any) -> None:
        """Take in what comes, until cancelled."""
        async for message in consumer:
            self._take[message.topic](message)

    def _take_result(self, message: Any) -> None:
        result = msgspec.json.decode(message.value, type=wire.CommandResult)
        self.results.append(result)
        self.result_partitions.append(message.partition)
        place = Place(result.topic, result.partition, result.offset)
        self._by_place.setdefault(place, []).append(result)

    def _take_sale(self, message: Any) -> None:
        # Requests to rebuild the ranking stand between sales, and have no key.
        if message.key is not None:
            _taker(self.sales, wire_events.SaleRecorded)(message)

    def _take_order_event(self, message: Any) -> None:
        if msgspec.json.decode(message.value)["type"] == "OrderPaid":
            _taker(self.payments, wire_events.OrderPaid)(message)
        else:
            _taker(self.cancellations, wire_events.OrderCancelled)(message)

    def results_at(self, place: Place) -> list[wire.CommandResult]:
        """Every result of the record at a place; more than one where it came again."""
        return self._by_place.get(place, [])

    async def result_at(self, place: Place, nth: int = 1) -> wire.CommandResult:
        """Wait for the nth result of the record at a place."""

        def look() -> wire.CommandResult | None:
            found = self.results_at(place)
            return found[nth - 1] if len(found) >= nth else None

        return await eventually(look, f"result {nth} of {place}")

    async def more(self, results: int) -> None:
        """Wait until so many more results were heard than until now."""
        wanted = len(self.results) + results
        await eventually(lambda: len(self.results) >= wanted, f"{wanted} results")

    async def results_of(self, sent: Iterable[Sent], nth: int = 1) -> list[wire.CommandResult]:
        """Wait for the nth results of these commands, in their order."""
        return [await self.result_at(one.place, nth) for one in sent]


def _taker(heard: list[T], shape: type[T]) -> Callable[[Any], None]:
    decode = msgspec.json.Decoder(shape).decode
    return lambda message: heard.append(decode(message.value))


def body_of(result: wire.CommandResult) -> Any:
    """Return the body of a result as plain data."""
    return msgspec.json.decode(result.body)


@asynccontextmanager
async def listening(kafka_url: str, topics: Topics) -> AsyncIterator[Listener]:
    """A listener, connected, that hears everything from the start."""
    listener = Listener(topics)
    partitions = topics.command_results.partitions
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_url,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    ) as consumer:
        consumer.assign(
            [TopicPartition(name, n) for name in listener.topics for n in range(partitions)]
        )
        task = asyncio.create_task(listener.listen(consumer))
        try:
            yield listener
        finally:
            task.cancel()
            await asyncio.wait([task])
