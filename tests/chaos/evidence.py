"""What a run leaves for the checker: snapshots, the database, the topics, the ranking."""

import asyncio
import base64
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
from confluent_kafka import KafkaError, Message, TopicPartition

from tests.chaos.cluster import PARTITIONS, Cluster, now_ms
from tests.chaos.watch import RESULTS, TOPICS, Watch, consumer_of

DUMPED_TOPICS = (*TOPICS, RESULTS, "order-events", "product-sales", "dead-letters")
SNAPSHOT_SECONDS = 2.0
_SUMS = """
    SELECT (SELECT coalesce(sum(balance), 0)::bigint FROM wallets),
        (SELECT coalesce(json_object_agg(kind, total), '{}')
         FROM (SELECT kind, sum(amount)::bigint AS total FROM balance_entries GROUP BY kind) AS k)
"""


async def take_snapshots(database_url: str, file: Path) -> None:
    """Read the sums again and again, one statement and so one moment each, until cancelled."""
    with file.open("a", buffering=1) as lines:
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(database_url, timeout=2)
                try:
                    wallet_sum, sums = await connection.fetchrow(_SUMS, timeout=5)
                    told = {"atMs": now_ms(), "walletSum": wallet_sum}
                    lines.write(json.dumps({**told, "entrySums": json.loads(sums)}) + "\n")
                finally:
                    await connection.close(timeout=1)
            await asyncio.sleep(SNAPSHOT_SECONDS)


async def wait_until_drained(database_url: str, watch: Watch, seconds_max: float) -> list[str]:
    """Wait until every mark is at its log's end and outcomes are told; say what is not."""
    deadline = time.monotonic() + seconds_max
    while open_ends := await _open_ends(database_url, watch):
        if time.monotonic() > deadline:
            return open_ends
        await asyncio.sleep(0.5)
    return []


async def _open_ends(database_url: str, watch: Watch) -> list[str]:
    ends = await watch.ends(*TOPICS)
    if not ends:
        return ["the broker does not answer"]
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT topic, partition, next_offset FROM partition_marks")
    finally:
        await connection.close()
    marks = {(row[0], row[1]): row[2] for row in rows}
    open_ends = []
    for place, end in ends.items():
        mark, told = marks.get(place, 0), watch.last.get(place, -1) + 1
        if mark < end or told < end:
            open_ends.append(f"{place[0]}[{place[1]}] ends at {end}, mark {mark}, told {told}")
    return open_ends


async def dump_database(database_url: str, folder: Path) -> None:
    """Write every row of every table."""
    folder.mkdir(exist_ok=True)
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            listed = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            for (table,) in listed:
                with (folder / f"{table}.jsonl").open("w") as lines:
                    async for row in connection.cursor(f'SELECT * FROM "{table}"', prefetch=5000):
                        lines.write(json.dumps(dict(row), default=_plain) + "\n")
    finally:
        await connection.close()


def _plain(value: Any) -> Any:
    return _bytes(value) if isinstance(value, bytes) else str(value)


def _bytes(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def dump_topics(cluster: Cluster, folder: Path) -> None:
    """Write every committed record of every topic."""
    folder.mkdir(exist_ok=True)
    for topic in DUMPED_TOPICS:
        with (folder / f"{topic}.jsonl").open("w") as lines:
            for message in _records(cluster, topic):
                lines.write(json.dumps(_shown(message)) + "\n")


def _records(cluster: Cluster, topic: str) -> Any:
    name = cluster.topic_prefix + topic
    consumer = consumer_of(cluster.kafka_url, **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(name, number, 0) for number in range(PARTITIONS)])
    ended: set[int] = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(1000, 1):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()


def _shown(message: Message) -> dict[str, Any]:
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestampMs": message.timestamp()[1],
        "key": _text(message.key()),
        "value": _text(message.value()),
        "headers": [
            [name, None if value is None else base64.b64encode(value).decode()]
            for name, value in message.headers() or ()
        ],
    }


def _text(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _bytes(raw)
