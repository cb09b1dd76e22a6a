"""Where keys are placed, what fingerprints tell apart, and that nothing raises."""

import hashlib
import json
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import commands
from streams import wire
from streams.codec import PoisonReason, encode_command, fingerprint_of, partition_of
from tests.wire_examples import (
    CHARGE,
    ID,
    NAME_TO_TOPIC,
    READER,
    TOPICS,
    VALID,
    paying,
    read_json,
    reason_of,
    record,
)

#   the same said otherwise
SAME = [
    json.dumps(CHARGE, indent=3),
    json.dumps(dict(reversed(CHARGE.items()))),
    json.dumps({**CHARGE, "payload": {"amount": 1, "userId": 7}}),
    json.dumps({**CHARGE, "commandId": ID.hex.upper(), "principal": None}),
]
#   something else said
OTHER = [paying(amount=2), paying(userId=8)]


@pytest.mark.parametrize("text", SAME)
def test_a_fingerprint_ignores_space_and_the_order_of_keys(text: str) -> None:
    incoming = READER.read(record("user-commands", b"7", text.encode()))
    canonical = b'{"userId":7,"amount":1}'
    assert incoming.payload == canonical
    assert incoming.fingerprint == hashlib.sha256(b"ChargeBalance\0" + canonical).digest()
    assert incoming.command_id == str(ID)


@pytest.mark.parametrize("said", OTHER)
def test_a_fingerprint_tells_other_content_apart(said: dict[str, Any]) -> None:
    key = str(said["payload"]["userId"]).encode()
    first = read_json(paying()).fingerprint
    assert first is not None
    assert read_json(said, key).fingerprint not in (None, first)


def test_a_fingerprint_tells_types_apart() -> None:
    assert fingerprint_of("A", b"{}") != fingerprint_of("B", b"{}")


#   key                                          murmur2, as Kafka's own tests have it
MURMUR2 = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "hashed"), MURMUR2)
@pytest.mark.parametrize("partitions", [1, 2, 8, 12, 1_000])
def test_keys_are_placed_as_the_java_client_places_them(
    key: bytes, hashed: int, partitions: int
) -> None:
    assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


@given(st.binary(max_size=80), st.integers(1, 100))
def test_keys_are_placed_as_aiokafka_places_them(key: bytes, partitions: int) -> None:
    listed = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, listed, listed)


topic_names = st.sampled_from([topic.name for topic in TOPICS.commands])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def see_that_it_is_understood(topic: str, key: bytes | None, value: bytes | None) -> None:
    incoming = READER.read(record(topic, key, value))
    if incoming.poison is not None:
        assert reason_of(incoming) not in (PoisonReason.RULE_FAILED, PoisonReason.DATA_REFUSED)
    else:
        assert incoming.command is not None
        assert incoming.fingerprint is not None


@given(topic_names, st.none() | st.binary(), st.none() | st.binary())
def test_no_bytes_raise(topic: str, key: bytes | None, value: bytes | None) -> None:
    see_that_it_is_understood(topic, key, value)


@settings(max_examples=200)
@given(st.sampled_from(VALID), st.data())
def test_no_mutated_byte_raises(
    valid: tuple[wire.Shape, bytes, commands.Command], data: st.DataObject
) -> None:
    payload, key, _ = valid
    value = bytearray(encode_command(ID, payload))
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(start + 3, len(value))))
    value[start:end] = data.draw(st.binary(max_size=3))
    see_that_it_is_understood(NAME_TO_TOPIC[type(payload).__name__], key, bytes(value))


@settings(max_examples=200)
@given(st.sampled_from(VALID), st.data(), json_values)
def test_no_mutated_field_raises(
    valid: tuple[wire.Shape, bytes, commands.Command], data: st.DataObject, value: Any
) -> None:
    payload, key, _ = valid
    said = json.loads(encode_command(ID, payload))
    changed = data.draw(st.sampled_from([said, said["payload"]]))
    changed[data.draw(st.sampled_from(sorted(changed)))] = value
    text = json.dumps(said).encode()
    see_that_it_is_understood(NAME_TO_TOPIC[type(payload).__name__], key, text)
