"""Exceptions at every await of the batch body, one at a time.

No acknowledgement before the commit, nothing lost: whatever is raised wherever, after a restart
state, rows, results and events are those of a run that nothing disturbed.
"""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from aiokafka.errors import KafkaError
from sqlalchemy import exc

from storage import schema
from storage.engine import Database, create_database
from storage.marks import load_marks
from storage.migrate import upgrade
from streams import catching_up
from streams.left_behind import LeftBehind
from streams.published import ends_of
from streams.records import Place
from tests.stateful.entities import facts_of
from tests.stateful.every_await import (
    BATCH_MAX,
    USERS,
    Body,
    Harm,
    Left,
    Outside,
    Process,
    ReadLog,
    Sent,
    catch_up,
    run_intake,
)
from tests.stateful.log_in_memory import TOPICS
from tests.stateful.test_batch_machine import RULEBOOK, read_entities, start_anew

LIVES_MAX = 3
# All of them at every await take hours. Else they take turns, and each work begins
# with another one on each database.
ALL = "FAIRLINE_TEST_EVERY_AWAIT" in os.environ
SECONDS_MAX = 30


class OursError(Exception):
    """Nothing that anybody knows of."""


class ForeignExit(BaseException):
    """Something that is not even an Exception."""


def database_error(kind: type[exc.DBAPIError], text: str = "gone") -> BaseException:
    return kind("a statement", {}, Exception(text))


RAISED: dict[str, Callable[[], BaseException]] = {
    "ours": OursError,
    "database away": lambda: database_error(exc.OperationalError),
    "connection closed": lambda: database_error(exc.InterfaceError),
    "duplicate": lambda: database_error(exc.IntegrityError, "UNIQUE constraint failed"),
    "data refused": lambda: database_error(exc.DataError),
    "OSError": OSError,
    "KafkaError": KafkaError,
    "TimeoutError": TimeoutError,
    "CancelledError": asyncio.CancelledError,
    "MemoryError": MemoryError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": SystemExit,
    "BaseException": ForeignExit,
}


def killed(process: Process) -> BaseException:
    """The process ends without a chance to do anything."""
    process.die()
    return ForeignExit()


def stopped(process: Process) -> None:
    """The worker is asked to stop, and cancels its agent."""
    process.task.cancel()


def raising(make: Callable[[], BaseException]) -> Callable[[Process], BaseException]:
    return lambda _: make()


ACTS: dict[str, Callable[[Process], BaseException | None]] = {
    "killed": killed,
    "stopped": stopped,
    **{name: raising(make) for name, make in RAISED.items()},
}


def shopping() -> ReadLog:
    """A shop that is open, and in one topic all that a record can come to."""
    log = ReadLog()

    def send(kind: str, **payload: Any) -> dict[str, Any]:
        envelope = {"commandId": str(UUID(int=len(log.sent))), "type": kind, "payload": payload}
        log.append(envelope)
        return envelope

    send("DefineProduct", productId=1, name="Tea", price=700, stock=5)
    log.skip(USERS, 0)
    first = send("ChargeBalance", userId=1, amount=1_000)
    order = send("CreateOrder", userId=1, items=[{"productId": 1, "quantity": 1}])
    send("ChargeBalance", userId=2, amount=5)
    send("PayOrder", userId=1, orderId=order["commandId"])
    log.append_bad(USERS, 0, (b"1", b"{"))
    log.append(first)
    log.append({**first, "payload": {"userId": 1, "amount": 7}})
    send("ChargeBalance", userId=2, amount=10**9)
    return log


@dataclass(frozen=True)
class Work:
    """What a worker does, and up to where its group has passed the topic before."""

    body: Body
    passed: Mapping[int, int] = field(default_factory=dict)


PLACES = [record.place for record in shopping().of_topic(USERS)]
WORK = {
    "intake": Work(run_intake),
    # The first two records of the first partition do not come.
    "hole": Work(run_intake, {PLACES[0].partition: PLACES[1].offset}),
    "catching up": Work(catch_up),
}


@dataclass(frozen=True)
class Shop:
    """One database, emptied before each run."""

    database: Database
    log: ReadLog

    async def open(self) -> None:
        process = Process(self.database, self.log, Outside(), Harm())
        await start_anew(self.database)
        rows = await process.applier.apply(self.log.of_topic(TOPICS.catalog_commands.name))
        process.applier.published.arrive(ends_of(rows))
        left = LeftBehind(
            self.database, process.publisher, process.applier.published, RULEBOOK.epoch
        )
        await left.note_at_last()

    async def live(self, work: Work, harm: Harm, ending: type[BaseException] = Left) -> Outside:
        """Start workers until one has done its work; the first of them meets the harm.

        It goes on, or it leaves; an agent never just ends, unless it is asked to.
        """
        outside = Outside(dict(work.passed))
        for life in range(LIVES_MAX):
            process = Process(self.database, self.log, outside, Harm() if life else harm)
            async with asyncio.timeout(SECONDS_MAX):
                ended = await process.run(work.body)
            await self.check(work, outside)
            if ended is None:
                return outside
            assert not process.consumes or isinstance(ended, ending), harm
        message = f"the work was not done: {harm}"
        raise AssertionError(message)

    async def check(self, work: Work, outside: Outside) -> None:
        """See that what is acknowledged is committed and published, and what is marked so is."""
        told = results_in(outside.broker)
        async with self.database.connect() as connection:
            marks = await load_marks(connection)
        for place in PLACES:
            mark = marks[place.topic, place.partition]
            came = place.offset > work.passed.get(place.partition, -1)
            if came and place.offset <= outside.acknowledged.get(place.partition, -1):
                assert place.offset < mark.next_offset
                assert place in told
            if place.offset < mark.published_offset:
                assert place in told

    async def facts(self, outside: Outside) -> dict[str, Any]:
        """All that a run has come to; what the broker has twice counts once."""
        found = facts_of(await read_entities(self.database))
        async with self.database.connect() as connection:
            for table in (schema.command_log, schema.command_ids, schema.dead_letters):
                columns = [column for column in table.c if column.name != "id"]
                rows = await connection.execute(sa.select(*columns))
                found[table.name] = {tuple(row) for row in rows}
            marks = await load_marks(connection)
        found["marks"] = {key: (m.next_offset, m.last_timestamp_ms) for key, m in marks.items()}
        return {**found, "broker": set(outside.broker)}


def results_in(broker: Sequence[Sent]) -> list[Place]:
    """Where the results that the broker has come from, in the order of their first coming."""
    found = [json.loads(sent[2]) for sent in broker if sent[0] == TOPICS.command_results.name]
    return list(dict.fromkeys(Place(r["topic"], r["partition"], r["offset"]) for r in found))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        made = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    else:
        plain: str = request.getfixturevalue("database_url")
        made = plain.replace("postgresql://", "postgresql+asyncpg://")
    upgrade(made)
    return made


def hurry(connection: Any, _record: Any) -> None:
    """Let SQLite not wait for the disk: the computer stays on."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()


@pytest.fixture
async def shop(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    # Several batches, so that one is published while the next one is applied.
    monkeypatch.setattr(catching_up, "_BATCH_MAX", BATCH_MAX)
    database = create_database(url, connections_max=2)
    if database.is_sqlite:
        sa.event.listen(database.engine.sync_engine, "connect", hurry)
    yield Shop(database, shopping())
    await database.dispose()


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("where", ["step", "send", "statement"])
async def test_nothing_is_lost_whatever_is_raised_at_any_await(
    shop: Shop, name: str, where: str
) -> None:
    work = WORK[name]
    await shop.open()
    expected = await shop.facts(await shop.live(work, Harm()))
    acts = itertools.cycle(ACTS)
    first = 2 * list(WORK).index(name) + shop.database.is_sqlite
    next(itertools.islice(acts, first, first), None)
    for number in itertools.count(1):
        for act in itertools.islice(acts, len(ACTS) if ALL else 1):
            harm = Harm(ACTS[act], **{where: number})
            await shop.open()
            ending = asyncio.CancelledError if act == "stopped" else Left
            outside = await shop.live(work, harm, ending)
            assert await shop.facts(outside) == expected, harm
            assert_in_order(outside.broker)
        if not harm.is_done:
            return


def assert_in_order(broker: Sequence[Sent]) -> None:
    """See that nothing was told before what comes before it in its partition.

    As far as Kafka has an order: between records of one partition of results.
    """
    for kept_in, partition in itertools.product((0, 1), (0, 1)):
        told = results_in([sent for sent in broker if sent[3] == kept_in])
        offsets = [place.offset for place in told if place.partition == partition]
        assert offsets == sorted(offsets)


async def test_a_worker_that_runs_publishes_what_another_one_left_behind(shop: Shop) -> None:
    await shop.open()
    died, lives = (Process(shop.database, shop.log, Outside(), Harm()) for _ in range(2))
    await died.applier.apply(shop.log.of_topic(USERS))
    published = lives.applier.published
    left = LeftBehind(shop.database, lives.publisher, published, RULEBOOK.epoch)
    of_another_log = LeftBehind(shop.database, lives.publisher, published, RULEBOOK.epoch + 1)
    partitions = {(place.topic, place.partition) for place in PLACES}
    # Its mark may have moved just before the first look.
    for looks, told in ((of_another_log, 0), (of_another_log, 0), (left, 0), (left, len(PLACES))):
        await looks.look(partitions)
        assert len(results_in(lives.outside.broker)) == told
    async with shop.database.connect() as connection:
        marks = await load_marks(connection)
    assert all(mark.published_offset == mark.next_offset for mark in marks.values())
