"""Replays of dead letters on a real database: applied once, by whoever comes first."""

import asyncio
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain import commands, rules
from domain.state import Decision, State, Terms
from storage import schema
from storage.command_log import CommandStatus, find_command
from storage.dead_letter_actions import (
    Action,
    find_closing,
    list_actions,
    save_discards,
)
from storage.engine import Database
from streams import wire
from streams.codec import encode_command, partition_of
from streams.records import Record
from tests.letters import Line, action, ask_for_replay, letter_of

USER = 7
KEY = b"7"
HOME = partition_of(KEY, 2)
CHARGE = wire.ChargeBalance(USER, 100)


def charge(command_id: UUID | None = None) -> bytes:
    return encode_command(command_id or uuid4(), CHARGE)


async def line(database: Database) -> Line:
    made = Line(database)
    await made.prepare()
    return made


async def buried(made: Line, value: bytes) -> Record:
    """A record of the wrong partition, and with it a dead letter."""
    letter = made.record(KEY, value, 1 - HOME)
    assert [row.disposition for row in await made.apply([letter])] == ["DEAD"]
    return letter


async def entries(database: Database) -> int:
    async with database.connect() as connection:
        count = sa.select(sa.func.count()).select_from(schema.balance_entries)
        return (await connection.execute(count)).scalar_one()


async def told(made: Line, *records: Record) -> list[tuple[str, int]]:
    return [(row.disposition, row.status) for row in await made.apply(records)]


async def test_a_replay_is_applied_and_closes_its_letter(database: Database) -> None:
    made = await line(database)
    letter = await buried(made, charge())
    asked = await ask_for_replay(database, letter_of(letter), made.record(KEY, letter.value, HOME))
    made.ends[HOME] = 0
    replay = made.record(KEY, letter.value, HOME, asked.action_id)
    assert await told(made, replay) == [("APPLIED", 200)]
    async with database.connect() as connection:
        closing = await find_closing(connection, letter_of(letter))
        assert await list_actions(connection, letter_of(letter)) == [asked]
    assert closing is not None
    assert (closing.action_id, closing.disposition, closing.status) == (
        asked.action_id,
        "APPLIED",
        200,
    )
    assert (closing.by_topic, closing.by_partition, closing.by_offset) == replay.place


async def asked_twice(made: Line, letter: Record) -> list[Record]:
    """Two operators ask for a replay of one letter, and both of their records are appended."""
    like = made.record(KEY, letter.value, HOME)
    made.ends[HOME] -= 1
    asked = [await ask_for_replay(made.database, letter_of(letter), like) for _ in range(2)]
    return [made.record(KEY, letter.value, HOME, one.action_id) for one in asked]


async def test_the_second_of_two_replays_does_nothing(database: Database) -> None:
    made = await line(database)
    first, second = await asked_twice(made, await buried(made, charge()))
    assert await told(made, first) == [("APPLIED", 200)]
    assert await told(made, second) == [("CONFLICT", 409)]
    assert await entries(database) == 1


async def test_two_replays_in_one_batch_are_one(database: Database) -> None:
    made = await line(database)
    replays = await asked_twice(made, await buried(made, charge()))
    assert await told(made, *replays) == [("APPLIED", 200), ("CONFLICT", 409)]
    assert await entries(database) == 1


async def test_replays_under_other_command_ids_at_two_workers_at_once_are_one(
    database: Database, other: Database
) -> None:
    """Two operators repair one letter, each in a way of their own: only one is applied."""
    made = await line(database)
    letter = await buried(made, b"not JSON")
    replays = []
    for user_id in (USER, neighbour()):
        key = str(user_id).encode()
        value = encode_command(uuid4(), wire.ChargeBalance(user_id, 1))
        home = partition_of(key, 2)
        like = made.record(key, value, home)
        made.ends[home] -= 1
        asked = await ask_for_replay(database, letter_of(letter), like)
        replays.append(made.record(key, value, home, asked.action_id))
    rows = await asyncio.gather(made.apply([replays[0]]), made.apply([replays[1]], other))
    assert sorted(row.disposition for [row] in rows) == ["APPLIED", "CONFLICT"]
    assert await entries(database) == 1


def neighbour() -> int:
    """A user whose records are in the other partition."""
    return next(n for n in range(8, 100) if partition_of(str(n).encode(), 2) != HOME)


async def dead_by_rule(made: Line, monkeypatch: pytest.MonkeyPatch, command_id: UUID) -> Record:
    """A command whose rule failed: its dead letter has claimed the command id."""

    def fail(_state: State, _command: commands.ChargeBalance, _terms: Terms) -> Decision:
        raise ZeroDivisionError

    letter = made.record(KEY, charge(command_id), HOME)
    with monkeypatch.context() as broken:
        broken.setitem(rules.RULES, commands.ChargeBalance, fail)
        assert await told(made, letter) == [("DEAD", 500)]
    return letter


async def test_after_a_replay_its_command_has_the_new_outcome(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await line(database)
    command_id = uuid4()
    letter = await dead_by_rule(made, monkeypatch, command_id)
    assert await told(made, made.record(KEY, letter.value, HOME)) == [("REPEATED", 500)]
    replays = await asked_twice(made, letter)
    assert await told(made, replays[0]) == [("APPLIED", 200)]
    assert await told(made, replays[1]) == [("CONFLICT", 409)]
    assert await told(made, made.record(KEY, letter.value, HOME)) == [("REPEATED", 200)]
    async with database.connect() as connection:
        found = await find_command(connection, str(command_id))
    assert isinstance(found, CommandStatus)
    assert found.status == 200
    assert await entries(database) == 1


async def test_a_replay_that_is_delivered_again_is_an_ordinary_replay(database: Database) -> None:
    made = await line(database)
    first, _ = await asked_twice(made, await buried(made, charge()))
    assert await told(made, first) == await told(made, first) == [("APPLIED", 200)]
    assert await entries(database) == 1


async def test_a_header_that_nobody_asked_for_does_nothing(database: Database) -> None:
    """A forged one closes no letter, and its record is what it is without the header."""
    made = await line(database)
    letter = await buried(made, charge())
    like = made.record(KEY, letter.value, HOME)
    made.ends[HOME] -= 1
    asked = await ask_for_replay(database, letter_of(letter), like)
    for forged in (
        made.record(KEY, letter.value, HOME, str(uuid4())),
        made.record(KEY, charge(), HOME, "no id"),
        made.record(KEY, charge(), HOME, "\u00ff"),
        # The very header of the operator, on a record that is not the operator's.
        made.record(KEY, charge(), HOME, asked.action_id),
    ):
        assert await told(made, forged) == [("APPLIED", 200)]
    elsewhere = made.record(KEY, letter.value, 1 - HOME, asked.action_id)
    assert await told(made, elsewhere) == [("DEAD", 400)]
    async with database.connect() as connection:
        assert await find_closing(connection, letter_of(letter)) is None


async def test_a_letter_that_was_discarded_is_not_replayed(database: Database) -> None:
    made = await line(database)
    letter = await buried(made, charge())
    first, _ = await asked_twice(made, letter)
    await discard(database, letter)
    assert await told(made, first) == [("CONFLICT", 409)]
    assert await entries(database) == 0


async def discard(database: Database, letter: Record) -> Action:
    noted = action(letter_of(letter))
    async with database.begin() as connection:
        await save_discards(connection, [noted])
    return noted


async def test_a_letter_is_discarded_once_and_not_after_its_replay(database: Database) -> None:
    made = await line(database)
    one, two = await buried(made, charge()), await buried(made, charge())
    await discard(database, one)
    (first, _) = await asked_twice(made, two)
    await made.apply([first])
    for letter in (one, two):
        with pytest.raises(IntegrityError):
            await discard(database, letter)
        async with database.connect() as connection:
            assert len(await list_actions(connection, letter_of(letter))) in {1, 2}
