"""Asks the broker about topics, and makes those that are missing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    LeaderNotAvailableError,
    NotCoordinatorForGroupError,
    TopicAlreadyExistsError,
    for_code,
)

from streams.kafka_access import kafka_options
from streams.records import Partition
from streams.topics import Topic

# A broker that is busy, or has just begun, takes its time.
_LEADER_SECONDS_MAX = 60
_COORDINATOR_SECONDS_MAX = 10
_COORDINATOR_WAKES_UP = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's id, and the partitions that it has of each topic asked for."""

    cluster_id: str
    partitions: dict[str, int]


@asynccontextmanager
async def _admin(kafka_url: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(**kafka_options(kafka_url))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def ensure_topics(kafka_url: str, topics: Iterable[Topic], *, replication: int = 1) -> None:
    """Make the topics that are missing; those that exist stay as they are.

    Raises the broker's error, for one when it has too few nodes for the replication.
    """
    wanted = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=dict(topic.config))
        for topic in topics
    ]
    async with _admin(kafka_url) as client:
        response = await client.create_topics(wanted)
        for name, code, *_ in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                message = f"topic {name}: {error.description}"
                raise error(message)
        await _wait_for_leaders(client, {topic.name for topic in wanted})


async def _wait_for_leaders(client: Any, names: set[str]) -> None:
    """Wait until each partition has a leader: a new topic has none for a moment.

    Raises LeaderNotAvailableError: who went on would find a log without partitions, and refuse it.
    """
    deadline = time.monotonic() + _LEADER_SECONDS_MAX
    while missing := names - _led(await client.describe_topics(sorted(names))):
        if time.monotonic() > deadline:
            message = f"no leader of {', '.join(sorted(missing))} in {_LEADER_SECONDS_MAX} s"
            raise LeaderNotAvailableError(message)
        await asyncio.sleep(0.1)


def _led(topics: Iterable[Mapping[str, Any]]) -> set[str]:
    """Name the topics each of whose partitions has a leader."""
    return {
        each["topic"]
        for each in topics
        if not each["error_code"] and all(p["leader"] >= 0 for p in each["partitions"])
    }


async def describe_cluster(kafka_url: str, topics: Iterable[Topic]) -> Cluster:
    """Ask for the cluster's id and its partitions of these topics, 0 where there is no topic."""
    names = [topic.name for topic in topics]
    async with _admin(kafka_url) as client:
        described = await client.describe_cluster()
        found = await client.describe_topics(names)
    counts = {topic["topic"]: len(topic["partitions"]) for topic in found}
    return Cluster(described["cluster_id"], {name: counts.get(name, 0) for name in names})


async def committed_offsets(kafka_url: str, group: str) -> dict[Partition, int]:
    """Ask where a consumer group goes on, by topic and partition; empty for a new group."""
    async with _admin(kafka_url) as client:
        found = await _list_offsets(client, group)
    return {(tp.topic, tp.partition): committed.offset for tp, committed in found.items()}


async def _list_offsets(client: Any, group: str) -> Any:
    """Ask again while nobody coordinates groups: a new cluster makes its offsets topic first."""
    deadline = time.monotonic() + _COORDINATOR_SECONDS_MAX
    while True:
        try:
            return await client.list_consumer_group_offsets(group)
        except _COORDINATOR_WAKES_UP:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)
