"""Listens to outcomes while a run goes on: how far each partition is, and when it moves again."""

import asyncio
import json
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.cluster import PARTITIONS, Cluster, now_ms
from tests.chaos.waiting import comes_true

TOPICS = ("user-commands", "coupon-commands", "catalog-commands")
RESULTS = "command-results"
POLL_SECONDS = 0.02
RECOVERY_SECONDS_MAX = 90.0


def consumer_of(kafka_url: str, **more: object) -> Consumer:
    """Make a consumer without a group's memory, reading what is committed."""
    return Consumer(
        {
            "bootstrap.servers": kafka_url,
            "group.id": "chaos",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
            **more,
        }
    )


class Watch:
    """The last offset of each command partition that an outcome was told of."""

    def __init__(self, cluster: Cluster) -> None:
        self._consumer = consumer_of(cluster.kafka_url)
        self._ends = consumer_of(cluster.kafka_url)
        self._prefix = cluster.topic_prefix
        self.last: dict[tuple[str, int], int] = {}
        self.outcomes = 0

    async def serve(self) -> None:
        """Listen until cancelled."""
        results = [TopicPartition(self._prefix + RESULTS, n, 0) for n in range(PARTITIONS)]
        self._consumer.assign(results)
        while True:
            for message in self._consumer.consume(500, 0):
                if message.error() is None:
                    self._take(json.loads(message.value() or b"{}"))
            await asyncio.sleep(POLL_SECONDS)

    def _take(self, result: dict[str, object]) -> None:
        place = (str(result["topic"]), int(str(result["partition"])))
        self.last[place] = max(self.last.get(place, -1), int(str(result["offset"])))
        self.outcomes += 1

    async def ends(self, *topics: str) -> dict[tuple[str, int], int]:
        """Ask the broker for the log end of each partition; empty while it is away."""
        return await asyncio.to_thread(self._ends_now, topics)

    def _ends_now(self, topics: tuple[str, ...]) -> dict[tuple[str, int], int]:
        ends = {}
        with suppress(KafkaException):
            for topic in topics:
                for number in range(PARTITIONS):
                    asked = TopicPartition(self._prefix + topic, number)
                    _, end = self._ends.get_watermark_offsets(asked, timeout=2)
                    ends[asked.topic, number] = end
            return ends
        return {}

    async def moved_past_now(self) -> int | None:
        """Wait until each user partition has an outcome of a record of from now on.

        Returns when that was, in epoch ms; None where it never came.
        """
        ends: dict[tuple[str, int], int] = {}

        async def has_moved() -> bool:
            nonlocal ends
            ends = ends or await self.ends("user-commands")
            return bool(ends) and all(
                self.last.get(place, -1) >= end for place, end in ends.items()
            )

        return now_ms() if await comes_true(has_moved, RECOVERY_SECONDS_MAX) else None

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
        self._ends.close()
