"""How far the log is written, as the broker tells it."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka_access import kafka_options
from web.lines import Lines
from web.results import Results


class EndOffsets:
    """Asks the broker how far each command topic is written, on a connection of its own.

    It asks about this edge's results too: whether there are some that it has not read.
    """

    def __init__(self, kafka_url: str, lines: Lines, results: Results) -> None:
        self._kafka_url = kafka_url
        self._lines = {TopicPartition(topic, n): line for topic, n, line in lines.items()}
        self._results = results
        self._consumer: Any = None

    async def ask(self) -> None:
        """Learn every end; raises whatever the broker's absence raises."""
        if self._consumer is None:
            self._consumer = await self._connect()
        known = {place: line.end_offset for place, line in self._lines.items()}
        ends = await self._consumer.end_offsets([*self._lines, self._results.place])
        self._results.end = ends.pop(self._results.place)
        for place, end in ends.items():
            self._lines[place].see_end(end, known[place])

    async def _connect(self) -> Any:
        consumer = AIOKafkaConsumer(**kafka_options(self._kafka_url), enable_auto_commit=False)
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
