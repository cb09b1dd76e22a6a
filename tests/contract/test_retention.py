"""Pruning on both databases: what goes, what stays, and what is remembered of it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from storage import schema
from storage.clock import load_clock
from storage.command_log import (
    CommandKey,
    DeadLetterRow,
    Disposition,
    LogRow,
    find_command,
    find_known,
    save_accepted,
    save_log_rows,
)
from storage.engine import Database
from storage.marks import Mark, insert_marks
from storage.retention import LogPartition, Pruned, load_pruned
from streams import retention
from streams.records import Partition
from streams.retention import Bounds, Pruner
from tests.client import eventually
from tests.contract.conftest import written

WINDOW_MS = 1_000
NOW_MS = 1_700_000_000_000
OLD_MS = NOW_MS - WINDOW_MS - 1
USERS = LogPartition(1, "user-commands", 0)
on_sqlite = pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True, scope="module")


def row(number: int, at_ms: int = OLD_MS, place: LogPartition = USERS, **more: Any) -> LogRow:
    """The row at this offset; its command has the same number."""
    made = LogRow(
        **place._asdict(),
        offset=number,
        key="7",
        command_id=f"c{number}",
        principal="7",
        type="ChargeBalance",
        fingerprint=b"f",
        payload="{}",
        disposition=Disposition.APPLIED.value,
        status=200,
        body="{}",
        events=None,
        reply_to=None,
        request_token=None,
        accepted_at_ms=at_ms,
    )
    return made._replace(**more)


async def fill(
    database: Database,
    rows: Sequence[LogRow],
    repeats: Sequence[LogRow] = (),
    *,
    epoch: int = 1,
    published: int = 9_999,
) -> None:
    """Store rows that claim their ids and others that do not, and marks of the current time."""
    async with database.begin() as connection:
        await written(connection, save_log_rows, [*rows, *repeats], rows, [])
        await insert_marks(connection, [Mark(USERS.topic, 0, epoch, 9_999, NOW_MS, published)])


def pruner(database: Database, acknowledged: Mapping[Partition, int] | int = 9_999) -> Pruner:
    """A pruner whose group has acknowledged so much."""
    committed = {(USERS.topic, 0): acknowledged} if isinstance(acknowledged, int) else acknowledged

    async def ask() -> Mapping[Partition, int]:
        return committed

    return Pruner(database, ask, WINDOW_MS)


async def prune(by: Pruner) -> int:
    """Prune every partition, and tell how many rows went."""
    bounds = await by.find_bounds()
    places = await by.list_partitions()
    counted = sum([await by.count(place, bounds) for place in places])
    gone = sum([rows for place in places async for rows in by.prune(place, bounds)])
    assert gone == counted
    return gone


async def offsets(database: Database, table: sa.Table = schema.command_log) -> list[int]:
    async with database.connect() as connection:
        found = await connection.scalars(sa.select(table.c.offset).order_by(table.c.offset))
        return list(found)


async def test_old_acknowledged_rows_go_with_their_ids_and_it_is_remembered(
    database: Database,
) -> None:
    times = [OLD_MS - 2, OLD_MS, NOW_MS - WINDOW_MS, NOW_MS]
    await fill(database, [row(number, at_ms) for number, at_ms in enumerate(times)])
    assert await prune(pruner(database)) == 2
    assert await offsets(database) == [2, 3] == await offsets(database, schema.command_ids)
    async with database.connect() as connection:
        assert await load_pruned(connection) == {USERS: Pruned(*USERS, 2, OLD_MS, 2)}
        assert await find_command(connection, "c1") is None
        assert await find_known(connection, [CommandKey("7", "c1")]) == {}


async def test_the_newest_row_of_a_partition_stays_however_old(database: Database) -> None:
    await fill(database, [row(number) for number in range(3)])
    assert await prune(pruner(database)) == 2
    assert await offsets(database) == [2]
    assert await prune(pruner(database)) == 0


@pytest.mark.parametrize(("acknowledged", "stay"), [(0, [0, 1, 2]), (1, [1, 2]), (2, [2])])
async def test_what_the_group_has_not_acknowledged_stays(
    database: Database, acknowledged: int, stay: list[int]
) -> None:
    await fill(database, [row(number) for number in range(3)])
    await prune(pruner(database, acknowledged))
    assert await offsets(database) == stay


async def test_what_is_not_known_as_published_stays(database: Database) -> None:
    await fill(database, [row(number) for number in range(3)], published=1)
    assert await prune(pruner(database)) == 1
    assert await offsets(database) == [1, 2]


async def test_a_group_without_offsets_lets_nothing_go(database: Database) -> None:
    await fill(database, [row(number) for number in range(3)])
    assert await prune(pruner(database, {})) == 0


async def test_a_retry_leaves_without_the_claim_of_the_first(database: Database) -> None:
    again = row(0, place=USERS, command_id="c1", disposition=Disposition.REPEATED.value)
    await fill(database, [row(1, NOW_MS)], [again])
    assert await prune(pruner(database)) == 1
    assert await offsets(database) == [1] == await offsets(database, schema.command_ids)


async def test_the_row_of_a_dead_letter_stays_with_its_claim(database: Database) -> None:
    dead = row(1, disposition=Disposition.DEAD.value)
    letter = DeadLetterRow(*USERS, 1, None, b"?", "[]", "RULE_FAILED", "It failed.", OLD_MS)
    await fill(database, [row(0), dead, row(2), row(3)])
    async with database.begin() as connection:
        await written(connection, save_log_rows, [], [], [letter])
    assert await prune(pruner(database)) == 2
    assert await offsets(database) == [1, 3] == await offsets(database, schema.command_ids)
    assert await prune(pruner(database)) == 0


async def test_rows_of_an_earlier_epoch_go_by_age_alone(database: Database) -> None:
    elsewhere = LogPartition(1, "topic-of-before", 9)
    rows = [row(5, place=elsewhere), row(6), row(7, NOW_MS)]
    await fill(database, rows, epoch=2)
    assert await prune(pruner(database, {})) == 2
    assert await offsets(database) == [7]


async def test_a_broker_whose_clock_runs_ahead_makes_nothing_old(database: Database) -> None:
    async with database.connect() as connection:
        clock_ms = await load_clock(connection)
    times = [clock_ms - 60_000, clock_ms + 60_000, clock_ms + 10**9]
    await fill(database, [row(number, at_ms) for number, at_ms in enumerate(times)])
    async with database.begin() as connection:
        await insert_marks(connection, [Mark(USERS.topic, 1, 1, 9, clock_ms + 10**9)])
    assert await prune(pruner(database)) == 1
    assert await offsets(database) == [1, 2]


async def test_those_that_prune_at_once_take_turns(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In many small slices, so that they meet.
    monkeypatch.setattr(retention, "SLICE_ROWS", 10)
    monkeypatch.setattr(retention, "_REST_SECONDS_MIN", 0)
    monkeypatch.setattr(retention, "_REST_FACTOR", 0)
    number = 405
    await fill(database, [row(offset) for offset in range(number)])
    bounds = Bounds(NOW_MS, 1, {(USERS.topic, 0): number})

    async def go(by: Pruner) -> int:
        return sum([rows async for rows in by.prune(USERS, bounds)])

    gone = await asyncio.gather(*(go(pruner(each)) for each in (database, other) * 2))
    assert sum(gone) == number - 1
    assert await offsets(database) == [number - 1] == await offsets(database, schema.command_ids)
    async with database.connect() as connection:
        assert (await load_pruned(connection))[USERS].pruned_rows == number - 1


async def test_a_promise_of_an_outcome_leaves_by_its_age(database: Database) -> None:
    async with database.begin() as connection:
        earlier_ms = await load_clock(connection)
        await save_accepted(connection, [CommandKey("7", "late")])
        query = sa.select(schema.accepted_commands.c.accepted_at_ms)
        at_ms = (await connection.execute(query)).scalar_one()
        assert earlier_ms <= at_ms <= await load_clock(connection)
    by = pruner(database)
    for before_ms, gone in ((at_ms, 0), (at_ms + 1, 1)):
        bounds = Bounds(before_ms, 1, {})
        assert await by.count_promises(bounds) == gone
        assert sum([rows async for rows in by.prune_promises(bounds)]) == gone


async def test_a_worker_prunes_its_own_partitions_and_what_is_nobodys(database: Database) -> None:
    anothers, before = USERS._replace(partition=1), LogPartition(0, "topic-of-before", 9)
    three = [(place, number) for place in (USERS, anothers, before) for number in range(3)]
    rows = [row(n, place=at, command_id=f"{at.topic}-{at.partition}-{n}") for at, n in three]
    await fill(database, rows)
    by = pruner(database, {(USERS.topic, 0): 9, (USERS.topic, 1): 9})
    running = asyncio.create_task(by.run(lambda: {(USERS.topic, 0)}, look_seconds=0.01))
    wanted = {USERS: 2, before: 3}

    async def is_done() -> bool:
        return await pruned_rows(database) == wanted

    try:
        await eventually(is_done, "rows of one's own and of nobody's to go")
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert await pruned_rows(database) == wanted


async def pruned_rows(database: Database) -> dict[LogPartition, int]:
    async with database.connect() as connection:
        return {
            place: known.pruned_rows for place, known in (await load_pruned(connection)).items()
        }


@on_sqlite
async def test_an_sqlite_file_is_filled_again_before_it_grows(database: Database) -> None:
    sizes = []
    for turn in range(4):
        first = turn * 500
        rows = [row(first + n, body="x" * 2_000, command_id=f"{turn}-{n}") for n in range(500)]
        async with database.begin() as connection:
            await written(connection, save_log_rows, rows, rows, [])
        bounds = Bounds(NOW_MS, 1, {(USERS.topic, 0): 9_999})
        assert sum([gone async for gone in pruner(database).prune(USERS, bounds)]) >= 499
        async with database.connect() as connection:
            pages = await connection.execute(sa.text("PRAGMA page_count"))
            sizes.append(pages.scalar_one())
    assert sizes[3] < sizes[0] * 1.2
