"""Records for one partition, handed to Kafka's producer together.

Its client takes records one by one too, at several times the cost for each.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.records import Partition

Sending = asyncio.Future[Any]
"""Done, with the first record's place, once the broker has all of them; fails where it has not."""


async def send_bundle(producer: AIOKafkaProducer, bundle: Any, to: Partition) -> Sending:
    """Hand over a bundle that `producer.create_batch` began; it is sent after those before it.

    Raises the client's error where the records were certainly not handed over.
    """
    if producer._sender.sender_task.done():
        # The client goes on taking batches when its sender has failed, and never sends them.
        message = "the producer has failed for good"
        raise KafkaError(message)
    # Closed, it waits for nothing more.
    bundle.close()
    topic, partition = to
    sending: Sending = await producer.send_batch(bundle, topic, partition=partition)
    return sending
