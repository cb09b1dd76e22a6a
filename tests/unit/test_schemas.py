"""The published schemas are what the code reads and writes."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from domain.state import State
from storage.command_log import LogRow
from streams import wire
from streams.codec import encode_command, key_of
from streams.decisions import BatchDecider, Rulebook
from streams.kinds import KINDS
from streams.outbox import decode_outbox
from streams.publisher import result_of
from streams.schemas import TOPIC_TO_KEY_FIELD, schemas, write_schemas
from tests.house import ROOT
from tests.wire_examples import BAD_ENVELOPES, ID, READER, TOPICS, VALID, read_json, record

FOLDER = ROOT / "docs" / "schemas"
NAMES = sorted(schemas())


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / name).read_text())
    return Draft202012Validator(schema, format_checker=FormatChecker())


COMMANDS = validator("commands.json")


def test_generating_again_leaves_the_tree_clean(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    fresh = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert fresh == {file.name: file.read_text() for file in FOLDER.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(validator(name).schema)


@pytest.mark.parametrize("payload", [payload for payload, _, _ in VALID])
def test_valid_commands_are_valid(payload: wire.Shape) -> None:
    COMMANDS.validate(json.loads(encode_command(ID, payload)))
    COMMANDS.validate(json.loads(encode_command(ID, payload, "svc:billing")))


def floats_in(said: Any) -> list[float]:
    payload = said.get("payload")
    values = payload.values() if isinstance(payload, dict) else []
    return [value for value in values if isinstance(value, float)]


@pytest.mark.parametrize("said", [said for said, _ in BAD_ENVELOPES])
def test_what_the_codec_refuses_is_invalid(said: Any) -> None:
    # A number like 1.0 is an integer to JSON Schema, and none to the codec.
    assert COMMANDS.is_valid(said) is (1.0 in floats_in(said))


@settings(max_examples=150)
@given(st.sampled_from(VALID), st.data(), st.none() | st.integers() | st.text() | st.booleans())
def test_what_the_codec_takes_is_valid(valid: Any, data: st.DataObject, value: Any) -> None:
    payload, key, _ = valid
    said = json.loads(encode_command(ID, payload))
    changed = data.draw(st.sampled_from([said, said["payload"]]))
    changed[data.draw(st.sampled_from(sorted(changed)))] = value
    incoming = read_json(said, key, getattr(TOPICS, KINDS[type(payload).__name__].topic).name)
    assert incoming.poison is not None or COMMANDS.is_valid(said)


@pytest.mark.parametrize("payload", [payload for payload, _, _ in VALID])
def test_the_key_is_the_field_that_the_schema_names(payload: wire.Shape) -> None:
    kind = KINDS[type(payload).__name__]
    said = json.loads(encode_command(ID, payload))["payload"]
    assert key_of(payload) == str(said[TOPIC_TO_KEY_FIELD[kind.topic]]).encode()
    described = next(one for one in COMMANDS.schema["oneOf"] if one["title"] == kind.name)
    assert f"`{getattr(TOPICS, kind.topic).name}`" in described["description"]
    assert f"`{TOPIC_TO_KEY_FIELD[kind.topic]}`" in described["description"]


#   every outcome that a body can have, in an order in which each can come about
LIFE: list[wire.Shape] = [
    wire.DefineProduct(1, "Tea", 700, 5),
    wire.RestockProduct(1, 5),
    wire.RestockProduct(2, 5),
    wire.DefineCoupon("EVER", 1, 300),
    wire.IssueCoupon(7, "EVER"),
    wire.IssueCoupon(7, "EVER"),
    wire.ChargeBalance(7, 10_000),
    wire.ChargeBalance(7, 10**18),
    wire.CreateOrder(7, [wire.OrderItem(1, 2)], "00000000-0000-0000-0000-000000000003"),
    wire.PayOrder(7, "00000000-0000-0000-0000-000000000008"),
    wire.PayOrder(7, "00000000-0000-0000-0000-000000000008"),
    wire.CancelOrder(7, "00000000-0000-0000-0000-000000000008"),
    wire.PayOrder(7, "00000000-0000-0000-0000-000000000008"),
    wire.CreateOrder(7, [wire.OrderItem(1, 2)]),
    wire.CancelOrder(7, "00000000-0000-0000-0000-00000000000d"),
]


def live() -> list[LogRow]:
    """Rows of the log of a short life, with a conflict, a repeat and a dead letter."""
    decider = BatchDecider(Rulebook(TOPICS, 1, 10_000_000, 900_000), State(), {})
    values = [(encode_command(UUID(int=n), p), p) for n, p in enumerate(LIFE)]
    values += [values[6], (encode_command(UUID(int=6), LIFE[7]), LIFE[7])]
    for value, payload in values:
        topic = getattr(TOPICS, KINDS[type(payload).__name__].topic).name
        decider.decide(READER.read(record(topic, key_of(payload), value)), 1_800_000_000_000)
    decider.decide(READER.read(record("user-commands", None, b"\xff")), 1)
    return decider.writing.rows


ROWS = live()


def test_the_short_life_meets_every_outcome() -> None:
    met = [(row.type or "", row.disposition, row.status) for row in ROWS]
    assert [(disposition, status) for _, disposition, status in met] == [
        ("APPLIED", 200),
        ("APPLIED", 200),
        ("REFUSED", 404),
        ("APPLIED", 200),
        ("APPLIED", 200),
        ("REFUSED", 409),
        ("APPLIED", 200),
        ("REFUSED", 400),
        ("APPLIED", 200),
        ("APPLIED", 200),
        ("REFUSED", 409),
        ("APPLIED", 200),
        ("REFUSED", 409),
        ("APPLIED", 200),
        ("APPLIED", 200),
        ("REPEATED", 200),
        ("CONFLICT", 422),
        ("DEAD", 400),
    ]


def published(name: str) -> list[Any]:
    """What the short life puts on a topic."""
    if name == "command-results.json":
        return [json.loads(msgspec.json.encode(result_of(row))) for row in ROWS]
    return [
        json.loads(bytes(event.value))
        for row in ROWS
        for event in decode_outbox(row.events)
        if event.topic == name.removesuffix(".json")
    ]


PUBLISHED = [name for name in NAMES if name != "commands.json"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_valid(name: str) -> None:
    listed = published(name)
    assert listed
    for said in listed:
        validator(name).validate(said)
        validator(name).validate({**said, "aLaterField": 1})


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_record_without_a_field_is_invalid(name: str) -> None:
    optional = {"replayed"}
    for said in published(name):
        for field in said.keys() - optional:
            rest = {key: value for key, value in said.items() if key != field}
            assert not validator(name).is_valid(rest), field
