"""Following outcomes, and the line for a coupon, on both databases."""

from typing import Any

import pytest

from storage.command_log import (
    CommandKey,
    LogRow,
    find_claimed,
    find_command,
    save_accepted,
    save_log_rows,
)
from storage.engine import Database
from storage.line import STRETCH, Line, Spot, find_beginning, find_newest_epoch, list_line
from storage.results import Horizon, list_outcomes, load_horizon
from storage.rows import Writes
from storage.schema import log_epochs
from tests.client import eventually

TOPIC = "coupon-commands"
LINE = Line(TOPIC, 2, "RUSH")
ROW = LogRow(
    epoch=1,
    topic=TOPIC,
    partition=2,
    offset=0,
    key="RUSH",
    command_id="c0",
    principal="7",
    type="IssueCoupon",
    fingerprint=b"f",
    payload="{}",
    disposition="APPLIED",
    status=200,
    body='{"number":1}',
    events=None,
    reply_to=None,
    request_token=None,
    accepted_at_ms=5,
)


def row(offset: int, **changes: Any) -> LogRow:
    return ROW._replace(offset=offset, command_id=f"c{offset}", **changes)


async def save(database: Database, *rows: LogRow) -> None:
    writes = Writes()
    firsts = [each for each in rows if each.disposition not in ("REPEATED", "CONFLICT")]
    save_log_rows(writes, rows, firsts, [])
    async with database.begin() as connection:
        await writes.flush(connection)


@pytest.fixture
async def epochs(database: Database) -> None:
    async with database.begin() as connection:
        for epoch in (1, 3):
            adopted = {"epoch": epoch, "cluster_id": "c", "adopted_at_ms": 1}
            await connection.execute(log_epochs.insert(), adopted)


@pytest.mark.usefixtures("epochs")
async def test_a_line_is_walked_over_stretches_and_epochs(database: Database) -> None:
    defined = row(4, type="DefineCoupon", principal="operator")
    far = 5 + 2 * STRETCH
    await save(
        database,
        row(1, disposition="REFUSED", status=404),
        defined,
        row(5),
        row(6, key="OTHER"),
        row(7, disposition="REPEATED"),
        row(8, partition=3),
        row(far),
        row(far + 1, epoch=3),
    )
    async with database.connect() as connection:
        assert await find_newest_epoch(connection) == 3
        spot: Spot | None = await find_beginning(connection, "c4")
        assert spot == Spot(1, 4)
        assert await find_beginning(connection, "nothing") == Spot(1, -1)
        found, portions = [], 0
        while spot is not None:
            portion = await list_line(connection, LINE, spot, 1)
            assert len(portion.rows) <= 1
            found += [(portion.epoch, each.offset) for each in portion.rows]
            spot, portions = portion.after, portions + 1
    assert found == [(1, 5), (1, 7), (1, far), (3, far + 1)]
    assert portions <= 6


async def test_outcomes_are_listed_by_row_and_repeats_are_none(database: Database) -> None:
    await save(
        database,
        row(1),
        row(2, disposition="REFUSED", status=409),
        row(3, disposition="REPEATED"),
        row(4, disposition="CONFLICT"),
        row(5, disposition="DEAD"),
        row(6, principal="8"),
        row(7),
    )
    async with database.connect() as connection:
        last = (await load_horizon(connection)).last_row_id
        found = await list_outcomes(connection, ["7"], last - 7)
        assert [each.command_id for each in found] == ["c1", "c2", "c5", "c7"]
        assert [each.command_id for each in await list_outcomes(connection, ["8", "9"], 0)] == [
            "c6"
        ]
        bounded = await list_outcomes(connection, ["7"], found[0].row_id, found[2].row_id)
        assert bounded == found[1:3]
        assert await find_claimed(connection, ["c1", "c3", "none"]) == {"c1"}


async def test_nothing_comes_below_a_horizon_whose_writers_have_ended(database: Database) -> None:
    await save(database, row(1))
    async with database.connect() as connection:
        before = await load_horizon(connection)
    await save(database, row(2))

    async def settled() -> Horizon | None:
        # Others may write to other databases of this server meanwhile.
        async with database.connect() as connection:
            after = await load_horizon(connection)
        return after if before.running_to <= after.running_from else None

    after = await eventually(settled, "the end of all who wrote")
    assert after.last_row_id == before.last_row_id + 1


async def test_promises_are_saved_together_and_again(database: Database) -> None:
    keys = [CommandKey("7", f"p{number}") for number in range(5)]
    async with database.begin() as connection:
        await save_accepted(connection, keys[:3])
        await save_accepted(connection, [*keys, *keys])
    async with database.connect() as connection:
        for key in keys:
            found = await find_command(connection, key.command_id, key.principal)
            assert found is not None
            assert found.status is None
