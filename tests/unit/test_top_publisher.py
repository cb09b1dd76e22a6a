"""Publishing top lists: on the hour without a sale, and again where the broker was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from domain.ranking import HOUR_MS, TopEntry, TopList, hour_of, live_window
from storage.sales import HourSum, HourSums, SalesSnapshot
from tables.live import LiveSales
from tables.loading import Assignment
from tables.shapes import decode_top
from tables.top_publisher import TopPublisher
from tests.client import eventually
from tests.sales_in_memory import PlainTable

HOUR = hour_of(1_773_146_096_789)
HOURS = 5


class Appended:
    """A producer whose broker is away for the first so many sends."""

    def __init__(self, failures: int = 0) -> None:
        self.tops: list[TopList] = []
        self._failures = failures

    async def send(self, _topic: str, value: bytes, **_: Any) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        if self._failures:
            self._failures -= 1
            done.set_exception(ConnectionError("the broker is away"))
        else:
            self.tops.append(decode_top(value))
            done.set_result(None)
        return done


@asynccontextmanager
async def publishing(producer: Any) -> AsyncIterator[None]:
    """One partition; product 1 sold in the oldest hour, product 2 in the current one."""
    oldest = HOUR - (HOURS - 1) * HOUR_MS
    sums = HourSums([HourSum(1, oldest, 9), HourSum(2, HOUR, 4)])
    live = LiveSales(PlainTable(), hours=HOURS)
    live.load(SalesSnapshot({}, sums), Assignment(1, {0}, 1), HOUR)
    task = asyncio.create_task(TopPublisher(live, producer, "product-top").run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


#   HOUR                                   HOUR + 60 min
#   [--------------------------------------*)[*----------
#                                   the clock   and then
async def test_the_hour_turns_without_a_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_ms = HOUR + HOUR_MS - 1
    monkeypatch.setattr("tables.top_publisher.now_ms", lambda: clock_ms)
    monkeypatch.setattr("tables.top_publisher.PAUSE_SECONDS", 0)
    producer = Appended()
    async with publishing(producer):
        await eventually(lambda: bool(producer.tops), "the list of before")
        clock_ms += 1
        await eventually(lambda: len(producer.tops) == 2, "the list of the next hour")
    before, after = producer.tops
    assert (before.window, after.window) == (
        live_window(HOUR, HOURS),
        live_window(HOUR + HOUR_MS, HOURS),
    )
    assert before.entries == (TopEntry(1, 9), TopEntry(2, 4))
    assert after.entries == (TopEntry(2, 4),)


async def test_a_list_that_the_broker_did_not_take_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tables.top_publisher.now_ms", lambda: HOUR)
    monkeypatch.setattr("tables.top_publisher.PAUSE_SECONDS", 0)
    monkeypatch.setattr("tables.top_publisher.RETRY_SECONDS", 0)
    producer = Appended(failures=3)
    async with publishing(producer):
        await eventually(lambda: bool(producer.tops), "the list")
    assert [top.entries for top in producer.tops] == [(TopEntry(1, 9), TopEntry(2, 4))]
