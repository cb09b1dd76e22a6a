"""The demo data: what a newcomer needs to try all eight use cases."""

import asyncio
import time
import uuid

from aiokafka import AIOKafkaProducer

from app.node import topics_in
from app.services.errors import StartError
from app.settings import Settings
from storage.command_log import find_command
from storage.engine import Database, create_database
from streams import wire
from streams.codec import encode_command, key_of, partition_of
from streams.kinds import KINDS

WAIT_SECONDS = 60

# The same data has the same ids, so that defining it again is a repeat and changes nothing.
_NAMESPACE = uuid.UUID("8a1f5d1c-6f1e-4a52-9c1d-fa1711e0c0de")

_PRODUCTS = (
    ("Americano", 4_500),
    ("Caffe latte", 5_000),
    ("Jeju green tea", 5_500),
    ("Hallabong juice", 6_500),
    ("Salt bread", 3_200),
    ("Red bean bun", 2_800),
    ("Honey castella", 8_900),
    ("Injeolmi cake", 6_800),
    ("Roasted seaweed", 4_900),
    ("Gochujang jar", 9_800),
    ("Kimchi, 1 kg", 13_900),
    ("Rice, 4 kg", 18_900),
    ("Ceramic mug", 15_000),
    ("Desk lamp", 39_000),
    ("Wireless mouse", 29_900),
    ("Mechanical keyboard", 129_000),
    ("Noise-cancelling headphones", 249_000),
    ("Umbrella", 12_000),
    ("Canvas tote", 18_000),
    ("Concert light stick", 45_000),
)
_COUPONS = (("WELCOME", 10_000, 1_000), ("RUSH100", 100, 5_000))


def demo_commands() -> list[tuple[uuid.UUID, wire.Shape]]:
    """Return the commands that define the demo data, with their ids."""
    payloads: list[wire.Shape] = [
        wire.DefineProduct(product_id=number, name=name, price=price, stock=1_000)
        for number, (name, price) in enumerate(_PRODUCTS, start=1)
    ]
    payloads += [
        wire.DefineCoupon(coupon_code=code, total=total, discount_amount=amount)
        for code, total, amount in _COUPONS
    ]
    return [
        (uuid.uuid5(_NAMESPACE, f"{type(payload).__name__}/{key_of(payload).decode()}"), payload)
        for payload in payloads
    ]


async def seed(settings: Settings) -> None:
    """Define the demo data through commands, and wait until a worker has applied them.

    Raises StartError where none does.
    """
    commands = demo_commands()
    await _append(settings, commands)
    database = create_database(settings.sqlalchemy_url)
    try:
        await _wait_until_applied(database, [str(command_id) for command_id, _ in commands])
    finally:
        await database.dispose()


async def _append(settings: Settings, commands: list[tuple[uuid.UUID, wire.Shape]]) -> None:
    topics = topics_in(settings)
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka_url, enable_idempotence=True, acks="all"
    ) as producer:
        for command_id, payload in commands:
            topic = getattr(topics, KINDS[type(payload).__name__].topic)
            key = key_of(payload)
            await producer.send_and_wait(
                topic.name,
                encode_command(command_id, payload),
                key=key,
                partition=partition_of(key, topic.partitions),
            )


async def _wait_until_applied(database: Database, command_ids: list[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = command_ids
    while waiting:
        async with database.connect() as connection:
            found = {c: await find_command(connection, c) for c in waiting}
        waiting = [c for c, known in found.items() if known is None or known.status is None]
        refused = [
            known.body for known in found.values() if known and known.status not in (None, 200)
        ]
        if refused:
            message = f"the demo data was refused: {refused[0]}"
            raise StartError(message)
        if waiting and time.monotonic() > deadline:
            message = f"no worker applied the demo data within {WAIT_SECONDS} s: is one running?"
            raise StartError(message)
        await asyncio.sleep(0.05)
