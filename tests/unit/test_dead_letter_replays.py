"""What is written for a record that replays a dead letter: its outcome, once."""

from uuid import UUID

import pytest

from domain.entities import BalanceEntry
from domain.state import State
from storage.command_log import CommandKey, Known
from storage.dead_letter_actions import LetterPlace, Replay
from streams import wire
from streams.codec import Incoming, Poison, PoisonReason, encode_command
from streams.dead_letter_replays import content_of
from streams.decisions import BatchDecider
from streams.records import Place, Record
from tests.unit.test_decisions import CHARGE, OTHER, RULEBOOK
from tests.wire_examples import ID, READER, record
from tests.worlds import NOW_MS

LETTER = LetterPlace(3, "user-commands", 4, 17)
KEY = CommandKey("7", str(ID))
NEW_ID = UUID("12345678-1234-4234-8234-123456789abd")
DEAD = Known(READER.read(CHARGE).fingerprint, 500, '{"code":"DEAD_LETTER"}')


def at(offset: int, one: Record = CHARGE) -> Record:
    return one._replace(place=one.place._replace(offset=offset))


def replay(*, is_closed: bool = False, claimed: CommandKey | None = None) -> Replay:
    return Replay("a1", LETTER, None, is_closed, claimed)


def decider(replays: dict[Place, Replay], known: dict[CommandKey, Known]) -> BatchDecider:
    return BatchDecider(RULEBOOK, State(), known, replays)


def decide(made: BatchDecider, *listed: Record | Incoming) -> list[tuple[str, int]]:
    """Decide records, and tell the disposition and status of each."""
    for one in listed:
        made.decide(READER.read(one) if isinstance(one, Record) else one, NOW_MS)
    return [(row.disposition, row.status) for row in made.writing.rows]


def entries(made: BatchDecider) -> list[BalanceEntry]:
    return list(made.state.balance_entries)


def test_a_replay_is_decided_though_its_command_is_known_for_dead() -> None:
    made = decider({at(1).place: replay(claimed=KEY)}, {KEY: DEAD})
    assert decide(made, at(1)) == [("APPLIED", 200)]
    assert [entry.amount for entry in entries(made)] == [5]


def test_a_replay_takes_the_command_id_over_from_its_letter() -> None:
    made = decider({at(1).place: replay(claimed=KEY)}, {KEY: DEAD})
    assert decide(made, at(0), at(1), at(2)) == [
        ("REPEATED", 500),
        ("APPLIED", 200),
        ("REPEATED", 200),
    ]
    assert made.writing.firsts == []
    assert [row.offset for row in made.writing.closings.moved] == [1]


def test_a_replay_whose_letter_claimed_nothing_claims_its_command_id() -> None:
    made = decider({at(1).place: replay()}, {})
    decide(made, at(1))
    assert [row.offset for row in made.writing.firsts] == [1]
    assert made.writing.closings.moved == []


def test_a_replay_closes_its_letter_with_its_place_and_outcome() -> None:
    made = decider({at(1).place: replay()}, {})
    decide(made, at(0, OTHER), at(1))
    (closing,) = made.writing.closings.written
    assert (closing.letter, closing.action_id, closing.closed_at_ms) == (LETTER, "a1", NOW_MS)
    assert (closing.by_topic, closing.by_offset) == ("user-commands", 1)
    assert (closing.disposition, closing.status) == ("CONFLICT", 422)


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_letter_is_replayed_once_also_within_a_batch(*, is_closed: bool) -> None:
    places = {at(n).place: replay(is_closed=is_closed, claimed=KEY) for n in (1, 2)}
    made = decider(places, {KEY: DEAD})
    told = decide(made, at(1), at(2))
    assert told == [("CONFLICT", 409)] * 2 if is_closed else [("APPLIED", 200), ("CONFLICT", 409)]
    assert len(made.writing.closings.written) == len(entries(made)) == (not is_closed)


def test_a_replay_that_came_too_late_speaks_for_no_command() -> None:
    made = decider({at(1).place: replay(is_closed=True)}, {})
    decide(made, at(1), at(2))
    late, fresh = made.writing.rows
    assert (late.command_id, late.payload, late.type) == (None, None, None)
    assert '"code":"DEAD_LETTER_CLOSED"' in late.body
    assert (fresh.disposition, fresh.offset) == ("APPLIED", 2)


def test_a_command_that_was_applied_meanwhile_is_repeated_by_a_replay() -> None:
    applied = Known(DEAD.fingerprint, 200, '{"balance":5}')
    made = decider({at(1).place: replay(claimed=None)}, {KEY: applied})
    assert decide(made, at(1)) == [("REPEATED", 200)]
    assert entries(made) == []


def test_a_replay_under_another_command_id_leaves_the_first_one_dead() -> None:
    other = at(1, record("user-commands", b"7", encode_command(NEW_ID, wire.ChargeBalance(7, 9))))
    made = decider({other.place: replay(claimed=KEY)}, {KEY: DEAD})
    assert decide(made, other, at(2)) == [("APPLIED", 200), ("REPEATED", 500)]


def test_a_replay_that_dies_again_is_a_new_letter_that_keeps_the_command_id() -> None:
    made = decider({at(1).place: replay(claimed=KEY)}, {KEY: DEAD})
    poison = Poison(PoisonReason.DATA_REFUSED, "The database refuses it.")
    assert decide(made, READER.read(at(1))._replace(poison=poison)) == [("DEAD", 400)]
    assert [letter.offset for letter in made.writing.letters] == [1]
    assert [row.offset for row in made.writing.closings.moved] == [1]
    assert made.writing.closings.written[0].disposition == "DEAD"


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (Place("a", 0, 0), b"k", b"w"),
        (Place("a", 0, 0), b"kv", b""),
        (Place("a", 1, 0), b"k", b"v"),
        (Place("b", 0, 0), b"k", b"v"),
    ],
)
def test_content_tells_topic_partition_key_and_value_apart_but_not_the_offset(
    place: Place, key: bytes, value: bytes
) -> None:
    known = content_of(Place("a", 0, 0), b"k", b"v")
    assert content_of(place, key, value) != known
    assert content_of(Place("a", 0, 99), b"k", b"v") == known
