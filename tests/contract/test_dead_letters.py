"""Dead letters as operators look at them: filters, pages, and what became of each."""

from dataclasses import replace

import pytest

from storage.command_log import DeadLetterRow, LogRow, save_log_rows
from storage.dead_letter_actions import (
    Closing,
    LetterPlace,
    find_closing,
    save_actions,
    save_closings,
    save_discards,
)
from storage.dead_letters import (
    LetterStatus,
    Outcome,
    Wanted,
    count_letters,
    find_letter,
    find_outcome,
    list_letters,
)
from storage.engine import Database
from tests.contract.conftest import written
from tests.contract.test_storage_log import POISON, row_at
from tests.letters import action
from tests.wire_examples import record
from tests.worlds import NOW_MS

USERS = "user-commands"
LETTER = DeadLetterRow(1, USERS, 0, 0, b"7", b"\x00\xff", "[]", "UNDECODABLE", "No JSON.", NOW_MS)
LETTERS = [
    LETTER,
    replace(LETTER, partition=1, reason="UNKNOWN_TYPE", recorded_at_ms=NOW_MS + 1),
    replace(LETTER, topic="coupon-commands", value=None, recorded_at_ms=NOW_MS + 1),
    replace(LETTER, offset=1, key=None, recorded_at_ms=NOW_MS + 2),
    replace(LETTER, offset=2, recorded_at_ms=NOW_MS + 2),
]
PLACES = [LetterPlace(x.epoch, x.topic, x.partition, x.offset) for x in LETTERS]
EVERY = Wanted(status=None)


async def save(database: Database) -> None:
    """Save the letters; the fourth is discarded, the fifth replayed."""
    asked = action(PLACES[4], record(USERS, b"7", b"{}"))
    end = Closing(*PLACES[4], asked.action_id, 1, USERS, 0, 9, "APPLIED", 200, NOW_MS + 5)
    async with database.begin() as connection:
        await written(connection, save_log_rows, [], [], LETTERS)
        await save_discards(connection, [action(PLACES[3])])
        await save_actions(connection, [asked])
        await written(connection, save_closings, [end], [])


#   wanted                                                letters, newest first
FOUND: list[tuple[Wanted, list[int]]] = [
    (EVERY, [4, 3, 1, 2, 0]),
    (Wanted(), [1, 2, 0]),
    (Wanted(status=LetterStatus.REPLAYED), [4]),
    (Wanted(status=LetterStatus.DISCARDED), [3]),
    (Wanted(topic=USERS), [1, 0]),
    (Wanted(reason="UNKNOWN_TYPE"), [1]),
    (Wanted(reason="RULE_FAILED"), []),
    (Wanted(since_ms=NOW_MS + 1), [1, 2]),
    (Wanted(since_ms=NOW_MS + 2, status=None), [4, 3]),
    (Wanted(topic=USERS, reason="UNDECODABLE", since_ms=NOW_MS + 2, status=None), [4, 3]),
]


@pytest.mark.parametrize(("wanted", "numbers"), FOUND)
async def test_letters_are_listed_newest_first_by_what_is_wanted(
    database: Database, wanted: Wanted, numbers: list[int]
) -> None:
    await save(database)
    async with database.connect() as connection:
        found = await list_letters(connection, wanted, 99)
        assert await count_letters(connection, wanted) == len(numbers)
    assert [PLACES.index(one.letter) for one in found] == numbers


async def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    await save(database)
    seen: list[LetterPlace] = []
    async with database.connect() as connection:
        while page := await list_letters(connection, EVERY, 2, seen[-1] if seen else None):
            assert len(page) <= 2
            seen += [one.letter for one in page]
    assert [PLACES.index(place) for place in seen] == [4, 3, 1, 2, 0]


async def test_a_listed_letter_tells_all_but_its_bytes(database: Database) -> None:
    await save(database)
    async with database.connect() as connection:
        replayed, discarded, *_, missing, first = await list_letters(connection, EVERY, 99)
    assert (first.key, first.value_size, first.reason) == (b"7", 2, "UNDECODABLE")
    assert (first.detail, first.recorded_at_ms) == ("No JSON.", NOW_MS)
    assert (discarded.key, missing.value_size) == (None, None)
    assert [one.status.value for one in (replayed, discarded, first)] == [
        "replayed",
        "discarded",
        "open",
    ]


async def test_a_letter_is_found_by_its_place_in_the_newest_epoch(database: Database) -> None:
    await save(database)
    newer = replace(LETTER, epoch=2, detail="Newer.")
    async with database.begin() as connection:
        await written(connection, save_log_rows, [], [], [newer])
    async with database.connect() as connection:
        assert await find_letter(connection, (USERS, 0, 0)) == newer
        assert await find_letter(connection, (USERS, 0, 0), epoch=1) == LETTER
        assert await find_letter(connection, (USERS, 0, 9)) is None


async def test_the_outcome_of_a_place_is_found_until_it_is_pruned(database: Database) -> None:
    row: LogRow = row_at(1)
    async with database.begin() as connection:
        await written(connection, save_log_rows, [POISON, row], [row], [])
    async with database.connect() as connection:
        dead = await find_outcome(connection, LetterPlace(1, USERS, 0, 0))
        assert dead == Outcome(None, "DEAD", 400, POISON.body)
        found = await find_outcome(connection, LetterPlace(1, USERS, 0, 1))
        assert found == Outcome("c0-1", "APPLIED", 200, row.body)
        assert await find_outcome(connection, LetterPlace(1, USERS, 0, 2)) is None


async def test_an_open_letter_has_no_closing(database: Database) -> None:
    await save(database)
    async with database.connect() as connection:
        assert await find_closing(connection, PLACES[0]) is None
        discarded = await find_closing(connection, PLACES[3])
        replayed = await find_closing(connection, PLACES[4])
    assert discarded is not None
    assert discarded.by_topic is None
    assert replayed is not None
    assert (replayed.by_offset, replayed.letter) == (9, PLACES[4])
