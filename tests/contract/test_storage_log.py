"""The command log: rows and claims, what a replay finds, and what a client may ask."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from storage import schema
from storage.command_log import (
    CommandKey,
    CommandStatus,
    DeadLetterRow,
    Disposition,
    Known,
    LogRow,
    find_command,
    find_known,
    load_replayed,
    save_accepted,
    save_log_rows,
)
from storage.engine import Database
from storage.errors import Failure, failure_of
from tests.contract.conftest import written
from tests.worlds import INT64_MAX, NOW_MS

TOPIC = "user-commands"
ROW = LogRow(
    epoch=1,
    topic=TOPIC,
    partition=0,
    offset=0,
    key="7",
    command_id="c0",
    principal="7",
    type="ChargeBalance",
    fingerprint=bytes(range(32)),
    payload='{"userId":7,"amount":1}',
    disposition=Disposition.APPLIED.value,
    status=200,
    body='{"balance":"ü\\u0000"}',
    events=None,
    reply_to=3,
    request_token="token",
    accepted_at_ms=NOW_MS,
)
POISON = ROW._replace(
    key=None,
    command_id=None,
    principal=None,
    type=None,
    fingerprint=None,
    payload=None,
    disposition=Disposition.DEAD.value,
    status=400,
    events="[]",
    reply_to=None,
    request_token=None,
)
LETTER = DeadLetterRow(1, TOPIC, 0, 0, None, b"\x00\xff", "[]", "UNDECODABLE", "No JSON.", NOW_MS)


def row_at(offset: int, partition: int = 0, command_id: str | None = None) -> LogRow:
    return ROW._replace(
        offset=offset, partition=partition, command_id=command_id or f"c{partition}-{offset}"
    )


async def save(database: Database, *rows: LogRow, firsts: list[LogRow] | None = None) -> None:
    async with database.begin() as connection:
        await written(
            connection, save_log_rows, rows, list(rows) if firsts is None else firsts, []
        )


async def test_a_row_comes_back_whole(database: Database) -> None:
    poison = POISON._replace(offset=INT64_MAX)
    await save(database, ROW, poison, firsts=[ROW])
    async with database.connect() as connection:
        found = await load_replayed(connection, 1, TOPIC, [(0, 0, INT64_MAX)])
    assert found == [ROW, poison]


async def test_a_dead_letter_keeps_its_bytes(database: Database) -> None:
    async with database.begin() as connection:
        await written(connection, save_log_rows, [POISON], [], [LETTER])
    columns = [schema.dead_letters.c[name] for name in DeadLetterRow.__dataclass_fields__]
    async with database.connect() as connection:
        rows = await connection.execute(sa.select(*columns))
        assert [DeadLetterRow(*row) for row in rows] == [LETTER]


#   spans asked for               places found: (partition, offset), rows are 0..4 of 0 and 1
SPANS: list[tuple[list[tuple[int, int, int]], list[tuple[int, int]]]] = [
    ([], []),
    ([(0, 0, 0)], [(0, 0)]),
    ([(0, 1, 3)], [(0, 1), (0, 2), (0, 3)]),
    ([(0, 4, 9)], [(0, 4)]),
    ([(0, 5, 9)], []),
    ([(2, 0, 9)], []),
    ([(1, 3, 4), (0, 0, 1)], [(1, 3), (1, 4), (0, 0), (0, 1)]),
]


@pytest.mark.parametrize(("spans", "places"), SPANS)
async def test_a_replay_finds_its_spans_in_log_order(
    database: Database, spans: list[tuple[int, int, int]], places: list[tuple[int, int]]
) -> None:
    rows = [row_at(offset, partition) for partition in (1, 0) for offset in (4, 3, 2, 1, 0)]
    await save(database, *rows)
    async with database.connect() as connection:
        found = await load_replayed(connection, 1, TOPIC, spans)
        assert [(row.partition, row.offset) for row in found] == places
        assert await load_replayed(connection, 2, TOPIC, spans) == []
        assert await load_replayed(connection, 1, "coupon-commands", spans) == []


async def test_rows_are_numbered_as_they_were_saved(database: Database) -> None:
    await save(database, row_at(3), row_at(1), row_at(2))
    await save(database, row_at(0))
    query = sa.select(schema.command_log.c.offset).order_by(schema.command_log.c.id)
    async with database.connect() as connection:
        assert (await connection.scalars(query)).all() == [3, 1, 2, 0]


async def test_a_place_has_one_row(database: Database) -> None:
    await save(database, row_at(1, command_id="a"))
    with pytest.raises(IntegrityError) as caught:
        await save(database, row_at(1, command_id="b"))
    assert failure_of(caught.value) is Failure.CONFLICT


async def test_a_claim_is_unique_and_a_failed_one_leaves_no_row(database: Database) -> None:
    await save(database, row_at(1, command_id="a"))
    with pytest.raises(IntegrityError) as caught:
        await save(database, row_at(2, command_id="a"))
    assert failure_of(caught.value) is Failure.CONFLICT
    async with database.connect() as connection:
        assert len(await load_replayed(connection, 1, TOPIC, [(0, 0, 9)])) == 1


async def test_known_commands_are_found_with_their_first_outcome(database: Database) -> None:
    first = ROW._replace(body='{"n":1}')
    retry = ROW._replace(offset=1, body='{"n":2}', disposition=Disposition.REPEATED.value)
    others = ROW._replace(offset=2, principal="8", body='{"n":3}')
    await save(database, first, retry, others, firsts=[first, others])
    asked = [CommandKey("7", "c0"), CommandKey("8", "c0"), CommandKey("9", "c0")]
    async with database.connect() as connection:
        assert await find_known(connection, []) == {}
        assert await find_known(connection, asked[2:]) == {}
        assert await find_known(connection, [*asked, CommandKey("7", "none")]) == {
            asked[0]: Known(ROW.fingerprint, 200, '{"n":1}'),
            asked[1]: Known(ROW.fingerprint, 200, '{"n":3}'),
        }


async def test_a_command_is_known_across_epochs(database: Database) -> None:
    await save(database, ROW)
    await save(database, POISON._replace(epoch=2), firsts=[])
    async with database.connect() as connection:
        found = await find_known(connection, [CommandKey("7", "c0")])
    assert [known.status for known in found.values()] == [200]


async def test_a_client_is_told_done_accepted_or_unknown(database: Database) -> None:
    await save(database, ROW)
    async with database.begin() as connection:
        await save_accepted(connection, [CommandKey("7", "waiting")])
        await save_accepted(connection, [CommandKey("7", "waiting")])
        await save_accepted(connection, [CommandKey("7", "c0")])
    async with database.connect() as connection:
        assert await find_command(connection, "c0", "7") == CommandStatus(200, ROW.body)
        assert await find_command(connection, "waiting", "7") == CommandStatus(None, None)
        assert await find_command(connection, "c0", "8") is None
        assert await find_command(connection, "waiting", "8") is None
        assert await find_command(connection, "none") is None


async def test_without_a_principal_the_first_in_the_log_is_told(database: Database) -> None:
    first, second = ROW._replace(principal="9"), ROW._replace(offset=1, principal="10", status=409)
    await save(database, first, second, firsts=[second, first])
    async with database.connect() as connection:
        assert await find_command(connection, "c0") == CommandStatus(200, ROW.body)
