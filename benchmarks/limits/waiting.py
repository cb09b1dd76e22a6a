"""Commands that wait: appended as one transaction, so that all of them are there at one moment."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.limits.installation import Process
from streams import wire
from streams.codec import encode_command, key_of
from streams.command_ids import new_command_id
from streams.topics import Topic

TRANSACTION_MS_MAX = 600_000
DRAIN_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.02
USERS = 20_000
COUPONS = 1_000
AT_ONCE = 5_000

MARKS = "SELECT partition, next_offset FROM partition_marks WHERE topic = $1"


def charges(number: int) -> Iterator[wire.ChargeBalance]:
    """Charges that go round a crowd of users."""
    return (wire.ChargeBalance(1 + n % USERS, 7) for n in range(number))


def issues_of_one(number: int, first_user: int) -> Iterator[wire.IssueCoupon]:
    """The hot coupon, each time for another user."""
    return (wire.IssueCoupon(first_user + n, code_of(0)) for n in range(number))


def issues_of_many(number: int, first_user: int) -> Iterator[wire.IssueCoupon]:
    """Many coupons in turn, each time for another user."""
    return (wire.IssueCoupon(first_user + n, code_of(1 + n % COUPONS)) for n in range(number))


def code_of(number: int) -> str:
    """Return a coupon's code; 0 is the hot one's."""
    return f"LIMIT-{number}"


def shop() -> Iterator[wire.Shape]:
    """Define the coupons, with copies enough for any run."""
    return (wire.DefineCoupon(code_of(n), 10**9, 500) for n in range(COUPONS + 1))


@dataclass
class Waiting:
    """Records of one topic, and where they end."""

    topic: Topic
    ends: dict[int, int] = field(default_factory=dict)
    """By partition: the offset after the last of them."""
    count: int = 0


@asynccontextmanager
async def waiting(
    kafka_url: str, topic: Topic, payloads: Iterable[wire.Shape]
) -> AsyncIterator[Waiting]:
    """Append commands that nobody who reads committed records sees before the end of the block."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_url,
        transactional_id=f"limits-{uuid.uuid4().hex}",
        transaction_timeout_ms=TRANSACTION_MS_MAX,
        linger_ms=5,
    )
    await producer.start()
    try:
        found = Waiting(topic)
        async with producer.transaction():
            await _append(producer, found, payloads)
            yield found
    finally:
        await producer.stop()


async def _append(
    producer: AIOKafkaProducer, found: Waiting, payloads: Iterable[wire.Shape]
) -> None:
    sent = []
    for payload in payloads:
        value = encode_command(new_command_id(), payload)
        sent.append(await producer.send(found.topic.name, value, key=key_of(payload)))
        if len(sent) == AT_ONCE:
            await _note(found, sent)
            sent = []
    await _note(found, sent)


async def _note(found: Waiting, sent: Iterable[object]) -> None:
    for each in sent:
        told = await each  # type: ignore[misc]
        found.ends[told.partition] = told.offset + 1
        found.count += 1


async def until_applied(database_url: str, expected: Waiting, *workers: Process) -> float:
    """Wait until the marks are past all of them; return the moment (time.monotonic).

    Raises StartError when a worker has left, TimeoutError.
    """
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    connection = await asyncpg.connect(database_url)
    try:
        while time.monotonic() < deadline:
            marks = dict(await connection.fetch(MARKS, expected.topic.name))
            if all(marks.get(number, 0) >= end for number, end in expected.ends.items()):
                return time.monotonic()
            for worker in workers:
                worker.require_alive()
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()
    message = f"{expected.count} commands were not applied in {DRAIN_SECONDS_MAX:.0f} s"
    raise TimeoutError(message)


async def records_in(kafka_url: str, topics: Iterable[Topic]) -> dict[str, int]:
    """Ask the broker for the end of each topic, over all partitions."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_url)
    await consumer.start()
    try:
        places = [TopicPartition(t.name, n) for t in topics for n in range(t.partitions)]
        ends = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    found: dict[str, int] = {}
    for place, end in ends.items():
        found[place.topic] = found.get(place.topic, 0) + end
    return found
