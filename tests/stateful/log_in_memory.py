"""The log of the command topics, in memory: records in order, with the gaps a broker may leave."""

import json
from dataclasses import dataclass, field
from typing import Any

from streams.codec import partition_of
from streams.kinds import KINDS
from streams.log_reader import CHUNK_RECORDS, LogReader
from streams.records import LOG_APPEND_TIME, Place, Record
from streams.topics import topics_of

TOPICS = topics_of("", 2)
START_MS = 1_800_000_000_000


@dataclass(slots=True)
class Sent:
    """A record that was appended, and the envelope it was made of; None if it is no command."""

    record: Record
    envelope: dict[str, Any] | None


@dataclass
class LogInMemory(LogReader):
    """Append, and read again from anywhere. A worker can fill its holes from here."""

    now_ms: int = START_MS
    sent: dict[Place, Sent] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def append(self, envelope: dict[str, Any], *, spaced: bool = False) -> Sent:
        """Append a command as a well-behaved producer does."""
        topic = topic_of(envelope["type"])
        key = key_of(envelope["payload"], topic)
        text = dict(reversed(envelope.items())) if spaced else envelope
        value = json.dumps(text, indent=2 if spaced else None).encode()
        return self._append(topic, partition_of(key, 2), (key, value), envelope)

    def append_bad(
        self, topic: str, partition: int, said: tuple[bytes | None, bytes | None]
    ) -> Sent:
        """Append a key and a value that are no command."""
        return self._append(topic, partition, said, None)

    def _append(
        self,
        topic: str,
        partition: int,
        said: tuple[bytes | None, bytes | None],
        envelope: dict[str, Any] | None,
    ) -> Sent:
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        place = Place(topic, partition, offset)
        record = Record(place, *said, (), self.now_ms, LOG_APPEND_TIME)
        self.sent[place] = Sent(record, envelope)
        return self.sent[place]

    def skip(self, topic: str, partition: int) -> None:
        """Leave an offset without a record, as the end of a producer's transaction does."""
        self.ends[topic, partition] = self.ends.get((topic, partition), 0) + 1

    def of_topic(self, topic: str) -> list[Record]:
        """Every record of a topic, in the order of appending."""
        return [sent.record for place, sent in self.sent.items() if place.topic == topic]

    async def read(
        self, topic: str, partition: int, first: int, end: int, *, least: int = CHUNK_RECORDS
    ) -> list[Record]:
        places = [Place(topic, partition, offset) for offset in range(first, end)]
        return [self.sent[place].record for place in places if place in self.sent][:least]


def topic_of(kind: str) -> str:
    return str(getattr(TOPICS, KINDS[kind].topic).name)


def key_of(payload: dict[str, Any], topic: str) -> bytes:
    name = {"user-commands": "userId", "coupon-commands": "couponCode"}.get(topic, "productId")
    return str(payload[name]).encode()
