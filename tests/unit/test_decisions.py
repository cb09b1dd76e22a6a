"""The pure middle of a batch: what is written for a record, whatever comes of it."""

import json

import pytest

from domain import rules
from domain.commands import ChargeBalance
from domain.state import Decision, State, Terms
from storage.command_log import CommandKey, Known, LogRow
from storage.marks import Mark
from streams import wire
from streams.batch import HoleError, sort_out
from streams.codec import Poison, PoisonReason, encode_command
from streams.decisions import BatchDecider, Rulebook, reply_partition
from streams.outbox import decode_outbox
from streams.records import Headers, Record
from tests.wire_examples import ID, PARTITIONS, READER, TOPICS, record
from tests.worlds import NOW_MS

RULEBOOK = Rulebook(TOPICS, 3, 10_000_000, 900_000)
CHARGE = record("user-commands", b"7", encode_command(ID, wire.ChargeBalance(7, 5)))
OTHER = record("user-commands", b"7", encode_command(ID, wire.ChargeBalance(7, 6)))
JUNK = record("user-commands", b"\x00\xff", b"\xfe")


def decide(
    *records: Record, known: dict[CommandKey, Known] | None = None, state: State | None = None
) -> BatchDecider:
    decider = BatchDecider(RULEBOOK, state or State(), known or {})
    for each in records:
        decider.decide(READER.read(each), NOW_MS)
    return decider


def row_of(one: Record) -> LogRow:
    return decide(one).writing.rows[0]


def test_a_row_tells_where_it_comes_from_and_what_it_said() -> None:
    row = row_of(CHARGE)
    assert (row.epoch, row.topic, row.partition, row.offset) == (3, *CHARGE.place)
    assert (row.key, row.command_id, row.principal) == ("7", str(ID), "7")
    assert (row.type, row.payload) == ("ChargeBalance", '{"userId":7,"amount":5}')
    assert (row.accepted_at_ms, row.events) == (NOW_MS, None)


def test_a_repeat_in_the_same_batch_gets_the_first_outcome() -> None:
    state = State()
    rows = decide(CHARGE, CHARGE, OTHER, CHARGE, state=state).writing.rows
    dispositions = [row.disposition for row in rows]
    assert dispositions == ["APPLIED", "REPEATED", "CONFLICT", "REPEATED"]
    assert rows[0].body == rows[1].body == rows[3].body
    assert [(e.amount, e.recorded_at_ms) for e in state.balance_entries] == [(5, NOW_MS)]


def test_a_charge_whose_row_was_pruned_is_a_repeat_and_claims_its_id_again() -> None:
    state = State()
    first = decide(CHARGE, state=state).writing.rows[0]
    # Another batch, much later: the id is not known, the movement is.
    writing = decide(CHARGE, state=state).writing
    assert [row.disposition for row in writing.rows] == ["REPEATED"]
    assert writing.rows[0].body == first.body
    assert writing.firsts == writing.rows
    assert len(state.balance_entries) == 1


def test_only_the_first_of_an_id_claims_it() -> None:
    writing = decide(CHARGE, CHARGE, OTHER, JUNK).writing
    assert [(row.command_id, row.disposition) for row in writing.firsts] == [(str(ID), "APPLIED")]


def test_a_known_command_is_not_decided() -> None:
    fingerprint = READER.read(CHARGE).fingerprint
    known = {CommandKey("7", str(ID)): Known(fingerprint, 418, '{"first":1}')}
    writing = decide(CHARGE, OTHER, known=known).writing
    assert [(row.disposition, row.status) for row in writing.rows] == [
        ("REPEATED", 418),
        ("CONFLICT", 422),
    ]
    assert writing.rows[0].body == '{"first":1}'
    assert writing.firsts == []


def test_a_rule_that_fails_costs_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    decide_charge = rules.RULES[ChargeBalance]

    def fail_on_five(state: State, command: ChargeBalance, terms: Terms) -> Decision:
        if command.amount == 5:
            raise ZeroDivisionError
        return decide_charge(state, command, terms)

    monkeypatch.setitem(rules.RULES, ChargeBalance, fail_on_five)
    neighbour = record("user-commands", b"8", encode_command(ID, wire.ChargeBalance(8, 6)))
    state = State()
    writing = decide(CHARGE, neighbour, CHARGE, state=state).writing
    assert [(row.disposition, row.status) for row in writing.rows] == [
        ("DEAD", 500),
        ("APPLIED", 200),
        ("REPEATED", 500),
    ]
    assert [letter.reason for letter in writing.letters] == ["RULE_FAILED"]
    assert [entry.amount for entry in state.balance_entries] == [6]


def test_a_dead_letter_is_kept_and_published_byte_for_byte() -> None:
    headers: Headers = [("h", b"\x00\xff"), ("none", None)]
    writing = decide(JUNK._replace(headers=headers)).writing
    letter, row = writing.letters[0], writing.rows[0]
    assert (letter.key, letter.value, letter.reason) == (b"\x00\xff", b"\xfe", "UNDECODABLE")
    assert json.loads(letter.headers) == [["h", "AP8="], ["none", None]]
    (event,) = decode_outbox(row.events)
    assert (event.topic, event.key) == ("dead-letters", b"\x00\xff")
    told = json.loads(bytes(event.value))
    assert (told["key"], told["value"], told["headers"]) == (
        "AP8=",
        "/g==",
        [["h", "AP8="], ["none", None]],
    )
    assert row.key is not None
    assert "\0" not in row.key


def test_a_condemned_record_claims_its_id() -> None:
    incoming = READER.read(CHARGE)._replace(
        poison=Poison(PoisonReason.DATA_REFUSED, "The database refuses it.")
    )
    decider = BatchDecider(RULEBOOK, State(), {})
    decider.decide(incoming, NOW_MS)
    assert [row.disposition for row in decider.writing.firsts] == ["DEAD"]


#   header results-partition        partition
ANSWERED_ON: list[tuple[bytes | None, int | None]] = [
    (b"0", 0),
    (b"7", 7),
    (b"007", 7),
    (b"8", None),
    (b"-1", None),
    (b"1.0", None),
    (b" 1", None),
    (b"", None),
    (b"9" * 5_000, None),
    ("٣".encode(), None),
    (b"command-results", None),
    (None, None),
]


@pytest.mark.parametrize(("header", "partition"), ANSWERED_ON)
def test_a_result_goes_to_a_partition_that_exists_or_to_the_keys(
    header: bytes | None, partition: int | None
) -> None:
    asking = CHARGE._replace(headers=[("results-partition", header)])
    assert reply_partition(asking, PARTITIONS) == partition
    assert row_of(asking).reply_to == partition


#   header request-token      token in the row
TOKENS: list[tuple[bytes | None, str | None]] = [
    (b"abc", "abc"),
    (b"a" * 64, "a" * 64),
    (b"a" * 65, None),
    (b"a\x00b", "a\ufffdb"),
    (b"\xff", "\ufffd"),
    (None, None),
]


@pytest.mark.parametrize(("header", "token"), TOKENS)
def test_a_token_is_echoed_if_it_can_be_stored(header: bytes | None, token: str | None) -> None:
    assert row_of(CHARGE._replace(headers=[("request-token", header)])).request_token == token


def test_the_last_header_of_a_name_counts() -> None:
    headers: Headers = [("request-token", b"first"), ("request-token", b"last")]
    assert row_of(CHARGE._replace(headers=headers)).request_token == "last"


def at(offset: int, timestamp_ms: int = 1) -> Record:
    return CHARGE._replace(place=CHARGE.place._replace(offset=offset), timestamp_ms=timestamp_ms)


def marks(next_offset: int) -> dict[int, Mark]:
    partition = CHARGE.place.partition
    return {partition: Mark("user-commands", partition, 3, next_offset, 10)}


def test_records_below_the_mark_are_replays_and_move_nothing() -> None:
    moved = marks(5)
    found = sort_out([at(3, 99), at(4, 99), at(5, 7), at(6, 12)], moved, ())
    assert [record.place.offset for record in found.replayed] == [3, 4]
    assert [record.place.offset for record in found.fresh] == [5, 6]
    assert next(iter(moved.values())).next_offset == 7
    assert next(iter(moved.values())).last_timestamp_ms == 12


def test_a_record_above_its_mark_is_a_hole_unless_it_was_looked_at() -> None:
    with pytest.raises(HoleError) as hole:
        sort_out([at(5), at(8)], marks(5), ())
    assert (hole.value.first, hole.value.end) == (6, 8)
    found = sort_out([at(5), at(8)], marks(5), {at(8).place})
    assert [record.place.offset for record in found.fresh] == [5, 8]
