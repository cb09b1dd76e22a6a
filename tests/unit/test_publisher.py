"""Where what is published goes, and that it goes together, in order."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from streams.codec import partition_of
from streams.publisher import Publisher, result_of
from streams.topics import topics_of
from tests.unit.test_schemas import ROWS

TOPICS = topics_of("", 4)
KEPT = "command-results"


class Producer:
    """Takes bundles of a few hundred bytes as Kafka's client does, and remembers them."""

    def __init__(self, *, has_failed: bool = False) -> None:
        sender = asyncio.get_running_loop().create_future()
        if has_failed:
            sender.set_result(None)
        self._sender = SimpleNamespace(sender_task=sender)
        self.bundles: list[tuple[str, int, list[Any]]] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(600, 0)

    async def send_batch(self, bundle: Any, topic: str, *, partition: int) -> Any:
        assert bundle.closed(), "it would wait for more"
        records = DefaultRecordBatch(bytes(bundle._build()))
        self.bundles.append((topic, partition, list(records)))
        return asyncio.get_running_loop().create_future()

    def records(self, topic: str) -> dict[int, list[Any]]:
        """What was sent to a topic, by partition, in the order of sending."""
        found: dict[int, list[Any]] = {}
        for name, partition, records in self.bundles:
            if name == topic:
                found.setdefault(partition, []).extend(records)
        return found


def publisher_of(producer: Producer) -> Publisher:
    publisher = Publisher("", TOPICS)
    publisher._producer = producer
    return publisher


#   asked for   key     the record's own   goes to
CASES = [
    (3, "1", 0, 3),
    (0, "1", 2, 0),
    (0, None, 2, 0),
    (None, "1", 2, partition_of(b"1", 4)),
    (None, None, 2, 2),
    (None, "", 2, 2),
    (None, None, 5, 1),
]


@pytest.mark.parametrize(("asked", "key", "own", "wanted"), CASES)
async def test_a_result_goes_to_the_same_partition_each_time(
    asked: int | None, key: str | None, own: int, wanted: int
) -> None:
    producer = Producer()
    row = ROWS[0]._replace(reply_to=asked, key=key, partition=own)
    await publisher_of(producer).hand_over([row])
    assert list(producer.records(KEPT)) == [wanted]


async def test_results_of_one_partition_go_together_in_their_order() -> None:
    producer = Producer()
    rows = [ROWS[0]._replace(reply_to=number % 2, offset=number) for number in range(20)]
    sent = await publisher_of(producer).hand_over(rows)
    assert len(sent) == len(producer.bundles) < len(rows)
    for partition, records in producer.records(KEPT).items():
        offsets = [msgspec.json.decode(record.value)["offset"] for record in records]
        assert offsets == list(range(partition, 20, 2))


async def test_all_of_a_short_life_is_published_byte_for_byte() -> None:
    producer = Producer()
    await publisher_of(producer).hand_over(ROWS)
    told = [record.value for records in producer.records(KEPT).values() for record in records]
    assert sorted(told) == sorted(msgspec.json.encode(result_of(row)) for row in ROWS)
    for topic in ("order-events", "product-sales"):
        for partition, records in producer.records(topic).items():
            assert {partition_of(record.key, 4) for record in records} == {partition}


async def test_a_producer_that_has_failed_for_good_takes_nothing() -> None:
    producer = Producer(has_failed=True)
    with pytest.raises(KafkaError):
        await publisher_of(producer).hand_over(ROWS[:1])
    assert not producer.bundles
