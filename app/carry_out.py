"""Commands from the command line: appended like anybody's, and waited for."""

import asyncio
import time
import uuid
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from domain.principals import OPERATOR, Scope
from storage.command_log import CommandStatus, find_command
from storage.engine import Database, create_database
from streams import wire
from streams.codec import encode_command, key_of, partition_of
from streams.kafka_access import kafka_options
from streams.kinds import KINDS

WAIT_SECONDS = 60
LOOK_SECONDS = 0.05


BY_OPERATOR = wire.Stamp(OPERATOR, Scope.ADMIN)


class Command(NamedTuple):
    """A payload, the id that it is known by, and who gives it."""

    command_id: uuid.UUID
    payload: wire.Shape
    stamp: wire.Stamp = BY_OPERATOR


async def carry_out(settings: Settings, commands: list[Command]) -> list[CommandStatus]:
    """Append commands, and return their outcomes once a worker has applied them.

    Raises StartError where none does.
    """
    await _append(settings, commands)
    database = create_database(settings.sqlalchemy_url)
    try:
        return await _wait_for_outcomes(database, [str(c.command_id) for c in commands])
    finally:
        await database.dispose()


async def _append(settings: Settings, commands: list[Command]) -> None:
    topics = topics_in(settings)
    async with AIOKafkaProducer(
        **kafka_options(settings.kafka), enable_idempotence=True, acks="all"
    ) as producer:
        for command_id, payload, stamp in commands:
            topic = getattr(topics, KINDS[type(payload).__name__].topic)
            key = key_of(payload)
            await producer.send_and_wait(
                topic.name,
                encode_command(command_id, payload, stamp),
                key=key,
                partition=partition_of(key, topic.partitions),
            )


async def _wait_for_outcomes(database: Database, command_ids: list[str]) -> list[CommandStatus]:
    deadline = time.monotonic() + WAIT_SECONDS
    done: dict[str, CommandStatus] = {}
    while waiting := [command_id for command_id in command_ids if command_id not in done]:
        async with database.connect() as connection:
            found = {c: await find_command(connection, c) for c in waiting}
        done |= {c: known for c, known in found.items() if known and known.status is not None}
        if time.monotonic() > deadline:
            message = f"no worker applied the commands within {WAIT_SECONDS} s: is one running?"
            raise StartError(message)
        await asyncio.sleep(LOOK_SECONDS)
    return [done[command_id] for command_id in command_ids]
