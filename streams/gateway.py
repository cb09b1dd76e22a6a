"""The gateway: takes commands from a service's own ingress topic to the command topics.

Kafka's access lists know who may write a topic, and not what: so a service writes only a topic of
its own, and here its commands get its principal, whatever they say of themselves.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
from aiokafka import AIOKafkaProducer

from domain.principals import SERVICE, Scope
from streams import wire
from streams.codec import (
    REQUEST_TOKEN,
    RESULTS_PARTITION,
    Poison,
    PoisonReason,
    encode_command,
    key_of,
    partition_of,
    read_envelope,
)
from streams.decisions import buried, reply_partition
from streams.hauls import Hold, records_in
from streams.kinds import ADMIN_TYPES, KINDS
from streams.outbox import dead_letter
from streams.outcomes import Answer, problem
from streams.records import Headers, Record
from streams.stopping import check_stopping
from streams.topics import Topics

# What tells its sender its outcome; all other headers stay behind.
_PASSED_HEADERS = (REQUEST_TOKEN, RESULTS_PARTITION)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Ingress:
    """A service's own way in: its name, and the types of commands that it may give."""

    name: str
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Passed:
    """A record for a topic: where it goes, and what is in it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers = ()


def pass_on(record: Record, ingress: Ingress, topics: Topics) -> list[Passed]:
    """Turn a record of an ingress topic into its command, or into what tells that it is none.

    A command is written anew: nothing of the record goes along but command id, type, payload, and
    the headers by which its sender finds the outcome. Its own key, principal and scope do not.
    """
    read = read_envelope(record.value)
    if isinstance(read, Poison):
        return _refuse(record, None, read, topics)
    envelope, payload = read
    if envelope.type not in ingress.types:
        detail = f"{ingress.name} may not give {envelope.type}."
        poison = Poison(PoisonReason.NOT_ALLOWED, detail)
        return _refuse(record, str(envelope.command_id), poison, topics)
    scope = Scope.ADMIN if envelope.type in ADMIN_TYPES else Scope.SERVICE
    stamp = wire.Stamp(SERVICE + ingress.name, scope)
    topic, key = getattr(topics, KINDS[envelope.type].topic), key_of(payload)
    value = encode_command(envelope.command_id, payload, stamp)
    headers = [header for header in record.headers if header[0] in _PASSED_HEADERS]
    partition = partition_of(key, topic.partitions)
    return [Passed(topic.name, partition, key, value, headers)]


def _refuse(
    record: Record, command_id: str | None, poison: Poison, topics: Topics
) -> list[Passed]:
    letter = dead_letter(record, poison.reason.value, poison.detail, topics)
    results, letters = topics.command_results, topics.dead_letters
    place = partition_of(record.key or b"", results.partitions)
    to = reply_partition(record, results.partitions)
    told = _answer(poison)
    result = wire.CommandResult(
        command_id=command_id,
        request_token=(record.header(REQUEST_TOKEN) or b"").decode(errors="replace")[:64] or None,
        **record.place._asdict(),
        status=told.status,
        body=msgspec.Raw(told.body),
    )
    return [
        Passed(letters.name, place % letters.partitions, record.key, bytes(letter.value)),
        Passed(results.name, place if to is None else to, record.key, _encode(result)),
    ]


def _answer(poison: Poison) -> Answer:
    if poison.reason is PoisonReason.NOT_ALLOWED:
        return problem(403, "NOT_ALLOWED", poison.detail)
    return buried(poison)


class Gateway:
    """What every gateway agent does with its stream. No exception leaves `process`."""

    def __init__(
        self,
        ingresses: Mapping[str, Ingress],
        topics: Topics,
        producer: AIOKafkaProducer,
        *,
        batch_max: int,
        leave: Callable[[str], NoReturn],
    ) -> None:
        self._ingresses = ingresses
        self._topics = topics
        self._producer = producer
        self._batch_max = batch_max
        self._leave = leave

    async def process(self, stream: Any) -> None:
        """Pass on what comes, and acknowledge what the broker has, until the worker stops.

        After a crash records come again and are passed on again: under their command ids they do
        nothing the second time.
        """
        stream.enable_acks = False
        try:
            hold = Hold(stream, self._batch_max)
            async for haul in stream:
                hold.add(haul)
                while batch := hold.take():
                    await self._pass_on(records_in(batch))
                    stream.app.consumer.acknowledge(batch)
        except GeneratorExit:
            # The event loop is gone already.
            raise
        except BaseException as error:
            check_stopping(error)
            self._leave(f"commands could not be passed on: {error!r}")

    async def _pass_on(self, records: list[Record]) -> None:
        sent = []
        for record in records:
            ingress = self._ingresses[record.place.topic]
            for one in pass_on(record, ingress, self._topics):
                sending = await self._producer.send(
                    one.topic,
                    one.value,
                    key=one.key,
                    partition=one.partition,
                    headers=list(one.headers),
                )
                sent.append(sending)
        await asyncio.gather(*sent)
