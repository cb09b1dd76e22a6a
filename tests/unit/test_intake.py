"""The intake of commands on a real Faust stream, as it is when partitions move."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import faust
import pytest
from faust.events import Event
from faust.types.tuples import TP, Message

from streams.health import WorkerHealth
from streams.intake import Intake
from streams.published import Published
from streams.records import LOG_APPEND_TIME
from tests.client import eventually

TOPIC = "commands"


def never(why: str) -> NoReturn:
    raise AssertionError(why)


class Books:
    """Applies by remembering which offsets came, and in which batches; publishes nothing."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.published = Published()

    async def apply(self, records: Sequence[Any]) -> list[Any]:
        self.batches.append([record.place.offset for record in records])
        return []

    async def hand_over(self, _rows: Sequence[Any]) -> list[Any]:
        return []


class Desk:
    """A worker's stream without a broker: records are laid on it by hand."""

    def __init__(self) -> None:
        self.app = faust.App("desk", broker="kafka://nowhere")
        self.channel = self.app.channel()
        self.stream = self.app.stream(self.channel)
        self.queue: Any = self.stream.channel.queue
        self.books = Books()
        self.app.flow_control.resume()

    def lay(self, *offsets: int, generation: int = 0) -> None:
        """Put records in the queue, as Faust's conductor does."""
        for offset in offsets:
            message = Message(
                TOPIC, 0, offset, 1.0, LOG_APPEND_TIME, {}, b"1", b"{}", None,
                generation_id=generation, tp=TP(TOPIC, 0),
            )  # fmt: skip
            self.queue.force_put_nowait(Event(self.app, b"1", b"{}", {}, message))

    def applied(self) -> list[int]:
        return [offset for batch in self.books.batches for offset in batch]


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    """An agent's body at work on the desk's stream."""
    books: Any = desk.books
    intake = Intake(books, books, WorkerHealth(), batch_max=500, leave=never)
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
    desk.lay(1, 2, 3)
    async with working(desk):
        await eventually(lambda: desk.applied() == [1, 2, 3], "three records")
        assert desk.books.batches == [[1, 2, 3]]
        desk.lay(4)
        await eventually(lambda: desk.applied() == [1, 2, 3, 4], "the fourth")


@pytest.mark.parametrize("way", ["cleared", "of an older generation"])
async def test_a_batch_does_not_wait_for_records_that_were_taken_back(way: str) -> None:
    desk = Desk()
    if way == "cleared":
        desk.lay(1, 2)
        async with working(desk):
            # One is in hand as soon as the other is alone in the queue.
            while desk.queue.qsize() > 1:  # noqa: ASYNC110 - the queue has no event for it.
                await asyncio.sleep(0)
            assert desk.applied() == []
            desk.app.flow_control.suspend()
            desk.app.flow_control.clear()
            await eventually(lambda: desk.applied() == [1], "what was in hand")
    else:
        desk.lay(1)
        desk.lay(2, generation=7)
        async with working(desk):
            await eventually(lambda: desk.applied() == [1], "what was in hand")
