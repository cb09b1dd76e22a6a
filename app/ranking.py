"""`fairline ranking check` and `rebuild`: the live ranking compared with SQL, or set from it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from domain.comparison import Comparison, Difference
from domain.ranking import Window
from streams.kafka_access import kafka_options
from streams.outcomes import moment
from tables.owners import OwnerAwayError, Owners, check_everywhere
from tables.sale_reader import encode_rebuild
from tables.shapes import encode_comparison
from tables.top_lists import TopListReader

READ_SECONDS_MAX = 20
LOOK_SECONDS = 0.1

Tell = Callable[[str], None]
"""Shows a line of progress."""


async def check(settings: Settings, tell: Tell, window: Window | None = None) -> Comparison:
    """Let every ranking worker compare its partitions with SQL. Raises StartError."""

    def told(url: str, found: Comparison) -> None:
        tell(f"{url}: {len(found.partitions)} partitions, {_counts(found)}")

    async with _top_lists(settings) as reader:
        owners = Owners(settings.partitions, reader.lists)
        try:
            tell(f"asking {', '.join(owners.all())}")
            return await check_everywhere(owners, window, told)
        except OwnerAwayError as error:
            raise StartError(str(error)) from None


async def rebuild(settings: Settings, tell: Tell, seconds_max: float) -> None:
    """Let every ranking worker set its values from SQL anew, and wait until all have.

    Raises StartError where a partition's owner has not by then.
    """
    async with _top_lists(settings) as reader:
        before = {n: top.loaded_at_ms for n, top in reader.lists().items()}
        await _request_rebuild(settings)
        deadline = time.monotonic() + seconds_max
        rebuilt = -1
        while waiting := _waiting(settings.partitions, reader, before):
            if settings.partitions - len(waiting) > rebuilt:
                rebuilt = settings.partitions - len(waiting)
                tell(f"{rebuilt} of {settings.partitions} partitions are rebuilt")
            if time.monotonic() > deadline:
                listed = ", ".join(map(str, waiting))
                message = f"not rebuilt within {seconds_max:g} s: partitions {listed}; "
                message += "is a ranking worker running?"
                raise StartError(message)
            await asyncio.sleep(LOOK_SECONDS)
        tell(f"{settings.partitions} of {settings.partitions} partitions are rebuilt")


def _waiting(partitions: int, reader: TopListReader, before: Mapping[int, int]) -> list[int]:
    """List the partitions whose owner has not loaded its values since before."""
    lists = reader.lists()
    return [
        n for n in range(partitions) if n not in lists or lists[n].loaded_at_ms == before.get(n, 0)
    ]


async def _request_rebuild(settings: Settings) -> None:
    """Append the request to each partition: each owner reads its own, in turn with sales."""
    topic = topics_in(settings).product_sales
    value = encode_rebuild(uuid.uuid4())
    try:
        async with AIOKafkaProducer(
            **kafka_options(settings.kafka), enable_idempotence=True, acks="all"
        ) as producer:
            for partition in range(topic.partitions):
                await producer.send_and_wait(topic.name, value, partition=partition)
    except KafkaError as error:
        message = f"Kafka at {settings.kafka_url} does not take the request: {error!r}"
        raise StartError(message) from error


@asynccontextmanager
async def _top_lists(settings: Settings) -> AsyncIterator[TopListReader]:
    """Read the top lists up to the present; raises StartError where that cannot be."""
    reader = TopListReader(settings.kafka, topics_in(settings), settings.ranking_hours)
    await reader.start()
    try:
        deadline = time.monotonic() + READ_SECONDS_MAX
        while not reader.ready:
            if time.monotonic() > deadline:
                message = f"the top lists cannot be read from Kafka at {settings.kafka_url}"
                raise StartError(message)
            await asyncio.sleep(LOOK_SECONDS)
        yield reader
    finally:
        await reader.stop()


def described(found: Comparison) -> str:
    """Say in lines what a check has found."""
    start, end = (moment(at_ms).isoformat(timespec="minutes") for at_ms in found.window)
    lines = [
        f"compared {len(found.partitions)} partitions from {start} to {end}: {_counts(found)}",
        *map(_described, found.first),
    ]
    if found.differences > len(found.first):
        lines.append(f"and {found.differences - len(found.first)} more")
    return "\n".join(lines)


def _counts(found: Comparison) -> str:
    """Say how much was compared; a product hour is an hour in which a product was sold."""
    return (
        f"{found.products} products, {found.hours} product hours, {found.differences} differences"
    )


def as_json(found: Comparison) -> str:
    """Return what a check has found as JSON."""
    return encode_comparison(found).decode()


def _described(each: Difference) -> str:
    if each.hour_ms is None:
        where = "sum of the window: the index"
    else:
        where = f"hour {moment(each.hour_ms).isoformat(timespec='minutes')}: the table"
    return f"product {each.product_id}, {where} says {each.table}, SQL {each.sql}"
