"""The intake of commands on a real Faust stream, as it is when partitions move."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import faust
import pytest
from aiokafka import ConsumerRecord
from faust.types import TP

from streams.haul_consumer import HaulTransport
from streams.hauls import Haul
from streams.health import WorkerHealth
from streams.intake import Intake
from streams.published import Published
from streams.records import LOG_APPEND_TIME
from tests.client import eventually

TOPIC = "commands"


def never(why: str) -> NoReturn:
    raise AssertionError(why)


def message_at(offset: int) -> Any:
    return ConsumerRecord(
        TOPIC, 0, offset, 1000, LOG_APPEND_TIME, b"1", b"{}", None, 1, 2, ()
    )  # fmt: skip


class Books:
    """Applies by remembering which offsets came, and in which batches; publishes nothing."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.published = Published()

    async def apply(self, records: Sequence[Any]) -> list[Any]:
        self.batches.append([record.place.offset for record in records])
        await self.is_open.wait()
        return []

    async def hand_over(self, _rows: Sequence[Any]) -> list[Any]:
        return []


class Desk:
    """A worker's stream without a broker: hauls are laid on it by hand."""

    def __init__(self) -> None:
        self.app = faust.App("desk", broker="kafka://nowhere")
        self.app.transport = HaulTransport("kafka://nowhere", self.app)
        self.consumer: Any = self.app.consumer
        self.channel = self.app.channel()
        self.stream = self.app.stream(self.channel)
        self.queue: Any = self.stream.channel.queue
        self.books = Books()
        self.app.flow_control.resume()

    def lay(self, *offsets: int, generation: int = 0) -> None:
        """Put one haul in the queue."""
        messages = [message_at(offset) for offset in offsets]
        self.queue.force_put_nowait(Haul(TP(TOPIC, 0), messages, generation))

    def applied(self) -> list[int]:
        return [offset for batch in self.books.batches for offset in batch]


@asynccontextmanager
async def working(desk: Desk, batch_max: int = 500) -> AsyncIterator[None]:
    """An agent's body at work on the desk's stream."""
    books: Any = desk.books
    intake = Intake(books, books, WorkerHealth(), batch_max=batch_max, leave=never)
    task = asyncio.create_task(intake.process(desk.stream))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Its consumer was never started; all that it has is a loop for a thread.
        desk.app.consumer._thread.thread_loop.close()


async def test_what_has_come_is_one_batch() -> None:
    desk = Desk()
    desk.lay(1)
    desk.lay(2, 3)
    async with working(desk):
        await eventually(lambda: desk.applied() == [1, 2, 3], "three records")
        assert desk.books.batches == [[1, 2, 3]]
        desk.lay(4)
        await eventually(lambda: desk.applied() == [1, 2, 3, 4], "the fourth")


async def test_what_does_not_fit_in_a_batch_is_in_the_next_one() -> None:
    desk = Desk()
    for first in (1, 4, 7, 10):
        desk.lay(first, first + 1, first + 2)
    async with working(desk, batch_max=7):
        await eventually(lambda: len(desk.applied()) == 12, "all records")
        assert desk.books.batches == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]


async def test_what_is_applied_is_acknowledged_up_to_its_end() -> None:
    desk = Desk()
    desk.lay(1, 2)
    desk.lay(3, 9)
    async with working(desk):
        await eventually(lambda: desk.consumer._acked.get(TP(TOPIC, 0)), "an acknowledgement")
        assert not desk.consumer.unacked
        assert desk.consumer._new_offset(TP(TOPIC, 0)) == 10
        assert desk.consumer._new_offset(TP(TOPIC, 0)) is None


async def test_what_is_taken_is_waited_for_until_it_is_acknowledged() -> None:
    desk = Desk()
    desk.books.is_open.clear()
    desk.lay(5, 6)
    async with working(desk):
        await eventually(lambda: bool(desk.books.batches), "a batch in hand")
        assert [haul.offset for haul in desk.consumer.unacked] == [5]
        desk.books.is_open.set()
        await eventually(lambda: not desk.consumer.unacked, "its acknowledgement")


async def test_a_haul_of_an_older_generation_is_dropped() -> None:
    desk = Desk()
    desk.lay(1)
    desk.lay(2, generation=-1)
    desk.lay(3)
    async with working(desk):
        await eventually(lambda: desk.applied() == [1, 3], "what is of this generation")
        await eventually(lambda: not desk.consumer.unacked, "their acknowledgement")


@pytest.mark.parametrize("way", ["cleared", "kept back"])
async def test_what_was_not_taken_when_partitions_move_is_dropped(way: str) -> None:
    desk = Desk()
    desk.books.is_open.clear()
    desk.lay(1, 2)
    if way == "kept back":
        # It was in the queue, and does not fit beside the first.
        desk.lay(3, 4)
    async with working(desk, batch_max=3):
        await eventually(lambda: desk.books.batches == [[1, 2]], "the first batch in hand")
        if way == "cleared":
            desk.lay(3, 4)
        desk.app.flow_control.suspend()
        desk.app.flow_control.clear()
        desk.books.is_open.set()
        await eventually(lambda: not desk.consumer.unacked, "what was in hand")
        # The next division: what was fetched for the last one comes again.
        desk.app.consumer_generation_id += 1
        desk.app.flow_control.resume()
        desk.lay(3, generation=1)
        await eventually(lambda: desk.applied() == [1, 2, 3], "what comes again")
