"""Appends commands to the log by an idempotent producer of this edge's own.

Records of one partition that come together are handed over together, as one bundle: Kafka's
client would take each by itself, at several times the cost.
"""

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.kafka_access import kafka_options
from streams.records import Partition
from streams.stopping import check_stopping
from streams.topics import Topic
from web.bundles import Bundles
from web.entry import Entry
from web.problems import KAFKA_AWAY, UnavailableError

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
REQUEST_TIMEOUT_MS = 10_000
BUNDLE_BYTES_MAX = 256 * 1024


class Appender:
    """Keeps a producer connected; another one takes over where one has failed for good."""

    def __init__(self, kafka_url: str, topics: Sequence[Topic]) -> None:
        self._kafka_url = kafka_url
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._bundles = Bundles(self._broken.set)
        self._fault = ""

    @property
    def is_ready(self) -> bool:
        """Tell whether commands can be handed over."""
        return self._producer is not None and not self._broken.is_set()

    def append(self, entry: Entry, to: Partition, *, is_alone: bool) -> None:
        """Send a record to a partition; the entry is told what becomes of it.

        One that is alone is sent at once, others wait a moment for each other.
        Raises UnavailableError where the record was certainly not handed over.
        """
        if self._producer is None:
            raise UnavailableError(KAFKA_AWAY)
        self._bundles.add(entry, to, is_alone=is_alone)

    async def run(self) -> None:
        """Keep a producer connected until cancelled."""
        while True:
            try:
                await self._replace(await self._connect())
                await self._broken.wait()
            except Exception as error:
                check_stopping(error)
                self._tell(error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def stop(self, seconds_max: float) -> None:
        """Send what was handed over, for so long at most, and disconnect."""
        producer, self._producer = self._producer, None
        self._bundles.use(None)
        if producer is not None:
            await _stop(producer, seconds_max)

    async def _replace(self, producer: AIOKafkaProducer) -> None:
        former, self._producer = self._producer, producer
        self._broken.clear()
        self._bundles.use(producer)
        self._fault = ""
        if former is not None:
            await _stop(former, RECONNECT_SECONDS)

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **kafka_options(self._kafka_url),
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_batch_size=BUNDLE_BYTES_MAX,
        )
        try:
            await producer.start()
            await self._check_topics(producer)
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def _check_topics(self, producer: AIOKafkaProducer) -> None:
        """Refuse a log with other partitions than ours: keys would go to the wrong ones."""
        for topic in self._topics:
            found = len(await producer.partitions_for(topic.name))
            if found != topic.partitions:
                message = f"topic {topic.name} has {found} partitions, not {topic.partitions}"
                raise KafkaError(message)

    def _tell(self, error: Exception) -> None:
        if repr(error) != self._fault:
            log.warning("the producer cannot connect: %r; trying again", error)
        self._fault = repr(error)


async def _stop(producer: AIOKafkaProducer, seconds_max: float) -> None:
    try:
        async with asyncio.timeout(seconds_max):
            await producer.stop()
    except TimeoutError:
        log.warning("Kafka did not acknowledge everything; some outcomes stay unknown")
    except KafkaError as error:
        log.warning("the producer left with %r", error)
