"""Services that produce commands to Kafka directly, by a client library that is not ours."""

import asyncio
import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaException, Message, Producer

from tests.chaos import poison
from tests.chaos.cluster import PARTITIONS, Cluster, now_ms
from tests.chaos.history import History
from tests.chaos.memory import Memory
from tests.chaos.workload import KEY_FIELDS, TOPICS, Planned

DELIVERY_MS_MAX = 20_000
POLL_SECONDS = 0.01


class ToSend(NamedTuple):
    """A record on its way; without a partition the key decides."""

    topic: str
    """Without the installation's prefix."""
    key: bytes | None
    value: bytes | None
    partition: int | None = None


class DirectProducers:
    """Producers, idempotent and acknowledged by all replicas; each is a client of its own."""

    def __init__(self, cluster: Cluster, clients: Sequence[str]) -> None:
        self._prefix = cluster.topic_prefix
        self._producers = {
            name: Producer(
                {
                    "bootstrap.servers": cluster.kafka_url,
                    "enable.idempotence": True,
                    "acks": "all",
                    "partitioner": "murmur2_random",
                    "delivery.timeout.ms": DELIVERY_MS_MAX,
                    "linger.ms": 2,
                    "client.id": name,
                    "reconnect.backoff.max.ms": 500,
                    "log_level": 0,
                }
            )
            for name in clients
        }

    async def serve(self) -> None:
        """Hear what became of what was sent, until cancelled."""
        while True:
            for producer in self._producers.values():
                producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)

    async def send(self, planned: Planned, memory: Memory, history: History) -> str:
        """Send one attempt and write it down; return what was acknowledged."""
        is_poison = planned.type == "Poison"
        record, told = self._poison(planned) if is_poison else _command(planned, memory)
        sent_at_ms = now_ms()
        ack, place = await self._produce(planned.client, record)
        if not is_poison:
            memory.learn(planned, told["commandId"], None)
        told |= {"sentAtMs": sent_at_ms, "doneAtMs": now_ms(), "ack": ack, "place": place}
        history.write({**head_of(planned), **told})
        return ack

    def _poison(self, planned: Planned) -> tuple[ToSend, dict[str, Any]]:
        home = (murmur2(b"1") & 0x7FFFFFFF) % PARTITIONS
        raw = poison.make(planned.payload["kind"], planned.id, home, PARTITIONS)
        told = {"value": _base64(raw.value), "key": _base64(raw.key), "payload": planned.payload}
        return ToSend(poison.TOPIC, raw.key, raw.value, raw.partition), told

    async def _produce(self, client: str, record: ToSend) -> tuple[str, dict[str, Any] | None]:
        done: asyncio.Future[tuple[str, dict[str, Any] | None]] = asyncio.Future()

        def tell(error: object, message: Message) -> None:
            if error is not None:
                done.set_result(("unknown", None))
                return
            place = {
                "topic": topic,
                "partition": message.partition(),
                "offset": message.offset(),
            }
            done.set_result(("acknowledged", place))

        topic = self._prefix + record.topic
        chosen = {} if record.partition is None else {"partition": record.partition}
        try:
            self._producers[client].produce(
                topic, record.value, record.key, on_delivery=tell, **chosen
            )
        except (BufferError, KafkaException):
            return "refused", None
        return await done

    async def close(self) -> None:
        """Wait until everything has its answer, or has waited too long for one."""
        for producer in self._producers.values():
            with suppress(KafkaException):
                await asyncio.to_thread(producer.flush, DELIVERY_MS_MAX / 1000 + 5)


def _command(planned: Planned, memory: Memory) -> tuple[ToSend, dict[str, Any]]:
    command_id = memory.command_id(planned) or str(planned.id)
    payload = memory.fill_in(planned)
    topic = TOPICS[planned.type]
    key = str(payload[KEY_FIELDS[topic]]).encode()
    envelope = {"commandId": command_id, "type": planned.type, "payload": payload}
    value = json.dumps(envelope).encode()
    return ToSend(topic, key, value), {"commandId": command_id, "payload": payload}


def head_of(planned: Planned) -> dict[str, Any]:
    """Return what every line says of its attempt."""
    return {
        "client": planned.client,
        "number": planned.number,
        "channel": planned.channel,
        "type": planned.type,
        "retryOf": planned.retry_of,
    }


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
