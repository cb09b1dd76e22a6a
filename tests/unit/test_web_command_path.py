"""What a client is told when the broker does not play along: never "not accepted" by mistake."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from storage.engine import create_database
from storage.migrate import upgrade_async
from streams import wire
from streams.records import Partition
from streams.topics import topics_of
from tests.edges import until
from web.appender import Appender
from web.backlog import Limits
from web.command_path import CommandPath, Parts, Submission
from web.entry import Entry
from web.lines import Lines
from web.problems import KAFKA_FULL, OutcomeUnknownError, UnavailableError
from web.results import Results

TOPICS = topics_of("", 4)
WAIT_SECONDS = 0.3


class Broker(Appender):
    """Takes every record, and acknowledges when the test says so."""

    def __init__(self) -> None:
        super().__init__("", TOPICS.commands)
        self.handed: list[Entry] = []
        self.is_open = True
        self.fault: UnavailableError | None = None

    @property
    def is_ready(self) -> bool:
        return True

    def append(self, entry: Entry, _to: Partition, *, is_alone: bool) -> None:
        assert is_alone
        if self.fault:
            raise self.fault
        if self.is_open:
            entry.hand_over()
            self.handed.append(entry)

    def acknowledge(self) -> None:
        self.handed[-1].written(0)


class Followed(Results):
    """Results whose position is fixed; none of them ever comes."""

    @property
    def is_ready(self) -> bool:
        return True


@dataclass(frozen=True)
class Edge:
    """A path of commands, and the two things that it depends on."""

    path: CommandPath
    broker: Broker
    results: Results

    def submit(self, submission: Submission) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.path.submit(submission))

    async def until_handed(self, commands: int = 1) -> None:
        async def are_handed() -> bool:
            return len(self.broker.handed) == commands

        await until(are_handed, "the commands")


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'edge.db'}"
    await upgrade_async(url)
    database = create_database(url)
    lines, broker = Lines(TOPICS.commands), Broker()
    results = Followed("", TOPICS.command_results, 0, lines)
    parts = Parts(TOPICS, database, lines, results, broker, ())
    yield Edge(CommandPath(parts, Limits(), WAIT_SECONDS), broker, results)
    await database.dispose()


def charge() -> Submission:
    uuid = uuid4()
    return Submission(uuid, str(uuid), "1", wire.ChargeBalance(1, 100), is_keyed=False)


async def test_what_the_broker_has_is_promised(edge: Edge) -> None:
    submission = charge()
    request = edge.submit(submission)
    await edge.until_handed()
    edge.broker.acknowledge()
    assert (await request).status == 202
    assert not edge.results.is_awaited(submission.command_id)


async def test_what_the_broker_has_not_acknowledged_is_unknown_and_pending(edge: Edge) -> None:
    submission = charge()
    with pytest.raises(OutcomeUnknownError):
        await edge.submit(submission)
    assert edge.results.is_awaited(submission.command_id)
    edge.broker.acknowledge()
    await asyncio.sleep(0)
    assert not edge.results.is_awaited(submission.command_id)


async def test_a_failed_acknowledgement_leaves_the_outcome_unknown_at_once(edge: Edge) -> None:
    requests = [edge.submit(charge()) for _ in range(2)]
    await edge.until_handed(2)
    for entry in edge.broker.handed:
        entry.lose()
    for _ in range(5):
        await asyncio.sleep(0)
    assert all(request.done() for request in requests)
    for request in requests:
        with pytest.raises(OutcomeUnknownError):
            await request


async def test_what_was_never_handed_over_is_plainly_unavailable(edge: Edge) -> None:
    submission = charge()
    edge.broker.fault = UnavailableError(KAFKA_FULL)
    with pytest.raises(UnavailableError):
        await edge.submit(submission)
    edge.broker.fault, edge.broker.is_open = None, False
    with pytest.raises(UnavailableError):
        await edge.submit(submission)
    assert not edge.results.is_awaited(submission.command_id)


async def test_a_path_that_is_closed_answers_what_waits_and_takes_nothing(edge: Edge) -> None:
    await edge.path.close(0.01)
    with pytest.raises(UnavailableError):
        await edge.submit(charge())
    assert not edge.broker.handed


async def test_an_outcome_that_comes_too_late_disturbs_nobody(edge: Edge) -> None:
    edge.results.expect("token", "c").future.cancel()
    await edge.results.finish(0.01)
    edge.results.forget("token")
    edge.results.forget("token")
