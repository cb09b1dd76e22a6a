"""Bytes to commands: every kind of bad record has its reason."""

import json
from typing import Any

import msgspec
import pytest

from domain import commands
from streams import wire
from streams.codec import PoisonReason, encode_command, key_of, partition_of, principal_of
from streams.kinds import KINDS
from streams.outcomes import epoch_ms, moment
from tests.wire_examples import (
    BAD_ENVELOPES,
    CHARGE,
    ID,
    NAME_TO_TOPIC,
    PARTITIONS,
    READER,
    VALID,
    read_json,
    reason_of,
    record,
    typed,
)


@pytest.mark.parametrize(("payload", "key", "command"), VALID)
def test_every_command_is_read_as_it_was_meant(
    payload: wire.Shape, key: bytes, command: commands.Command
) -> None:
    name = type(payload).__name__
    incoming = READER.read(record(NAME_TO_TOPIC[name], key, encode_command(ID, payload)))
    assert incoming.poison is None
    assert incoming.command == command
    assert (incoming.command_id, incoming.type) == (str(ID), name)
    assert incoming.payload == msgspec.json.encode(payload)
    assert key_of(payload) == key


def test_every_kind_of_command_was_tried() -> None:
    assert {type(payload).__name__ for payload, _, _ in VALID} == KINDS.keys()


#   key      value                                                   reason
BAD_BYTES: list[tuple[bytes | None, bytes | None, PoisonReason]] = [
    (None, json.dumps(CHARGE).encode(), PoisonReason.KEY_MISSING),
    (None, None, PoisonReason.KEY_MISSING),
    (b"7", None, PoisonReason.UNDECODABLE),
    (b"7", b"", PoisonReason.UNDECODABLE),
    (b"7", b"\x00", PoisonReason.UNDECODABLE),
    (b"7", b"\xff\xfe", PoisonReason.UNDECODABLE),
    (b"7", b"{", PoisonReason.UNDECODABLE),
    (b"7", b"null", PoisonReason.UNDECODABLE),
    (b"7", b"[" * 100_000, PoisonReason.UNDECODABLE),
    (b"7", b'{"payload":' + b"[" * 100_000, PoisonReason.UNDECODABLE),
    (b"7", json.dumps(CHARGE).encode() + b"}", PoisonReason.UNDECODABLE),
    (b"7", json.dumps(CHARGE).encode("utf-16"), PoisonReason.UNDECODABLE),
    (b"", json.dumps(CHARGE).encode(), PoisonReason.KEY_MISMATCH),
    (b"8", json.dumps(CHARGE).encode(), PoisonReason.KEY_MISMATCH),
    (b"07", json.dumps(CHARGE).encode(), PoisonReason.KEY_MISMATCH),
    (b"7 ", json.dumps(CHARGE).encode(), PoisonReason.KEY_MISMATCH),
    (b"\x00\xff", json.dumps(CHARGE).encode(), PoisonReason.KEY_MISMATCH),
]


@pytest.mark.parametrize(("key", "value", "reason"), BAD_BYTES)
def test_bad_bytes_are_poison(
    key: bytes | None, value: bytes | None, reason: PoisonReason
) -> None:
    assert reason_of(READER.read(record("user-commands", key, value))) is reason


@pytest.mark.parametrize(("said", "reason"), BAD_ENVELOPES)
def test_bad_envelopes_and_payloads_are_poison(said: Any, reason: PoisonReason) -> None:
    assert reason_of(read_json(said)) is reason


def items(*quantities: int) -> list[dict[str, int]]:
    return [{"productId": 1, "quantity": quantity} for quantity in quantities]


#   items of an order                                               taken
ITEMS: list[tuple[list[dict[str, int]], bool]] = [
    (items(10_000), True),
    (items(10_001), False),
    (items(0), False),
    (items(9_999, 1), True),
    (items(9_999, 2), False),
    ([{"productId": n, "quantity": 1} for n in range(1, 101)], True),
    ([{"productId": n, "quantity": 1} for n in range(1, 102)], False),
    ([{"productId": 0, "quantity": 1}], False),
    ([{"productId": 1}], False),
]


@pytest.mark.parametrize(("listed", "taken"), ITEMS)
def test_items_of_an_order_are_bounded(listed: list[dict[str, int]], taken: bool) -> None:
    incoming = read_json(typed("CreateOrder", userId=7, items=listed))
    if taken:
        assert incoming.poison is None
    else:
        assert reason_of(incoming) is PoisonReason.INVALID_PAYLOAD


#   validFrom                                     epoch ms, None: refused
MOMENTS = [
    ("1970-01-01T00:00:00.001Z", 1),
    ("1970-01-01T09:00:00.001+09:00", 1),
    ("1970-01-01T00:00:00.001999Z", 1),
    ("1969-12-31T23:59:59.9999Z", -1),
    ("0001-01-01T00:00:00Z", -62_135_596_800_000),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ("0001-01-01T00:00:00+00:01", None),
    ("9999-12-31T23:59:59.999-00:01", None),
    ("2026-01-01T00:00:00", None),
    ("2026-02-30T00:00:00Z", None),
    ("yesterday", None),
]


@pytest.mark.parametrize(("text", "at_ms"), MOMENTS)
def test_moments_have_an_offset_and_a_year_that_can_be_shown(text: str, at_ms: int | None) -> None:
    payload = {"couponCode": "EVER", "total": 1, "discountAmount": 1, "validFrom": text}
    incoming = read_json(typed("DefineCoupon", **payload), b"EVER", "coupon-commands")
    if at_ms is None:
        assert reason_of(incoming) is PoisonReason.INVALID_PAYLOAD
    else:
        assert isinstance(incoming.command, commands.DefineCoupon)
        assert incoming.command.valid_from_ms == at_ms
        assert epoch_ms(moment(at_ms)) == at_ms


def test_a_record_in_another_partition_than_its_keys_is_poison() -> None:
    right = partition_of(b"7", PARTITIONS)
    for partition in range(PARTITIONS):
        value = json.dumps(CHARGE).encode()
        incoming = READER.read(record("user-commands", b"7", value, partition=partition))
        if partition == right:
            assert incoming.poison is None
        else:
            assert reason_of(incoming) is PoisonReason.WRONG_PARTITION


def test_the_id_of_a_poisoned_command_is_kept_where_it_could_be_read() -> None:
    assert read_json({**CHARGE, "payload": {}}).command_id == str(ID)
    assert read_json({**CHARGE, "type": "No"}).command_id == str(ID)
    assert read_json(CHARGE, b"8").command_id == str(ID)
    assert read_json({**CHARGE, "commandId": 7}).command_id is None


#   what was said                                            who acts
PRINCIPALS = [
    (CHARGE, "7"),
    ({**CHARGE, "principal": None}, "7"),
    ({**CHARGE, "principal": "svc:billing"}, "svc:billing"),
]


@pytest.mark.parametrize(("said", "principal"), PRINCIPALS)
def test_the_payloads_user_acts_where_nobody_is_named(said: Any, principal: str) -> None:
    assert read_json(said).principal == principal


def test_the_operator_acts_where_no_user_is_concerned() -> None:
    assert principal_of(wire.RestockProduct(1, 1)) == "operator"
    assert principal_of(wire.PayOrder(7, "o")) == "7"
