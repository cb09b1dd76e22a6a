"""An edge whose part has ended, or that does not come to its results, says so."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from streams.liveness import TOLD_LOOKS_MAX, Liveness
from streams.service_watch import Watch
from streams.topics import topics_of
from web.edge_watch import LOOKS_MAX, EdgeWatch
from web.health import body_with
from web.lines import Lines
from web.results import Results

TOPICS = topics_of("", 4)


class Broker:
    """A broker that is there until a test takes it away."""

    is_there = True

    async def ask(self) -> None:
        if not self.is_there:
            raise ConnectionRefusedError

    async def stop(self) -> None: ...


@dataclass
class Looked:
    """An edge that somebody looks at."""

    broker: Broker = field(default_factory=Broker)
    results: Results = field(
        default_factory=lambda: Results("", TOPICS.command_results, 0, Lines(TOPICS.commands))
    )
    liveness: Liveness = field(default_factory=Liveness)

    def __post_init__(self) -> None:
        self._watch = Watch("broker", self.broker)
        self._edge_watch = EdgeWatch(self.liveness, self.results, [self._watch])

    async def look(self, times: int = 1, task: "asyncio.Task[Any] | None" = None) -> None:
        await self._watch.ask_once()
        for _ in range(times):
            self._edge_watch.look({} if task is None else {"producer": task})

    def read_up_to(self, position: int | None, end: int) -> None:
        self.results._position, self.results.end = position, end


async def test_results_that_are_there_and_are_not_read_are_told() -> None:
    edge = Looked()
    edge.read_up_to(7, 8)
    await edge.look(LOOKS_MAX)
    assert edge.liveness.is_alive
    await edge.look()
    assert (
        edge.liveness.answer()["faults"]["results"]["what"] == "results are there and are not read"
    )
    edge.read_up_to(8, 8)
    await edge.look()
    assert edge.liveness.is_alive


@pytest.mark.parametrize(("position", "end"), [(None, 8), (8, 8), (9, 8)])
async def test_an_edge_that_has_read_all_or_has_not_begun_is_well(
    position: int | None, end: int
) -> None:
    edge = Looked()
    edge.read_up_to(position, end)
    await edge.look(2 * LOOKS_MAX)
    assert edge.liveness.is_alive


async def test_while_the_broker_is_away_nothing_needs_to_be_read() -> None:
    edge = Looked()
    edge.read_up_to(7, 8)
    await edge.look(LOOKS_MAX)
    edge.broker.is_there = False
    await edge.look(2 * LOOKS_MAX)
    assert edge.liveness.is_alive


async def test_a_part_that_has_ended_is_told() -> None:
    edge = Looked()
    runs = asyncio.create_task(asyncio.Event().wait())
    await edge.look(task=runs)
    assert edge.liveness.is_alive
    runs.cancel()
    await asyncio.wait([runs])
    await edge.look(task=runs)
    assert edge.liveness.answer()["faults"]["parts"]["what"] == "producer has ended"


async def test_an_edge_that_nobody_starts_anew_leaves_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("streams.liveness.leave", said.append)
    edge = Looked()
    edge.read_up_to(7, 8)
    await edge.look(LOOKS_MAX + TOLD_LOOKS_MAX)
    assert said == []
    await edge.look()
    assert len(said) == 1


def test_another_part_of_the_process_is_told_under_its_name() -> None:
    own, worker = Liveness(), Liveness()
    own.note("parts", "")
    worker.note("agents", "stands still")
    told = body_with(own.answer(), "worker", worker.answer())
    assert (told["status"], told["checks"]) == ("failed", {"parts": True, "worker.agents": False})
    assert told["faults"]["worker.agents"]["what"] == "stands still"
