"""Records on their way to the log: who waits for whom, and what each is told."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from web import bundles
from web.backlog import Line
from web.bundles import Bundles
from web.entry import Entry, Stage
from web.patience import Patience
from web.problems import OutcomeUnknownError, UnavailableError
from web.results import Waiter

HERE, THERE = ("user-commands", 0), ("user-commands", 1)


class Producer:
    """Takes bundles of a few hundred bytes; a test says what becomes of them."""

    def __init__(self) -> None:
        self._sender = SimpleNamespace(sender_task=asyncio.get_running_loop().create_future())
        self.sent: list[tuple[int, int]] = []
        self.fates: list[asyncio.Future[Any]] = []
        self.fault: Exception | None = None

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(300, 0)

    async def send_batch(self, bundle: Any, _topic: str, *, partition: int) -> Any:
        if self.fault:
            raise self.fault
        self.sent.append((partition, bundle.record_count()))
        self.fates.append(asyncio.get_running_loop().create_future())
        return self.fates[-1]


class Desk:
    """Bundles with a producer, and the records that were added."""

    def __init__(self) -> None:
        self.broken = False
        self.producer = Producer()
        self.bundles = Bundles(self._note)
        self.bundles.use(self.producer)

    def _note(self) -> None:
        self.broken = True

    def add(self, to: tuple[str, int] = HERE, *, is_alone: bool = True) -> Entry:
        waiter = Waiter("id", asyncio.get_running_loop().create_future())
        entry = Entry(b"1", b"x" * 40, [], line=Line(0, 0), waiter=waiter)
        self.bundles.add(entry, to, is_alone=is_alone)
        return entry


async def turns() -> None:
    """Let everything happen that waits for no clock."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_that_is_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "GATHER_SECONDS", 3600)
    desk = Desk()
    desk.add()
    await turns()
    assert desk.producer.sent == [(0, 1)]


async def test_those_in_company_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "GATHER_SECONDS", 0.01)
    desk = Desk()
    for to in (HERE, THERE, HERE):
        desk.add(to, is_alone=False)
        await turns()
    assert not desk.producer.sent
    await asyncio.sleep(0.05)
    assert sorted(desk.producer.sent) == [(0, 2), (1, 1)]


async def test_each_learns_its_offset_and_the_next_bundle_gathers_meanwhile() -> None:
    desk = Desk()
    first = [desk.add(), desk.add()]
    await turns()
    later = desk.add()
    await turns()
    assert desk.producer.sent == [(0, 2)]
    desk.producer.fates[0].set_result(SimpleNamespace(offset=7))
    await asyncio.sleep(bundles.GATHER_SECONDS * 5)
    assert [entry.stage for entry in (*first, later)] == [Stage.WRITTEN] * 2 + [Stage.HANDED]
    assert [entry.line.end_offset for entry in first] == [8, 9]


async def test_what_does_not_fit_goes_with_the_next_bundle_in_its_order() -> None:
    desk = Desk()
    entries = [desk.add() for _ in range(12)]
    offset = 0
    while any(entry.stage is not Stage.WRITTEN for entry in entries):
        await asyncio.sleep(bundles.GATHER_SECONDS * 5)
        count = desk.producer.sent[-1][1]
        desk.producer.fates[-1].set_result(SimpleNamespace(offset=offset))
        offset += count
        await turns()
    assert len(desk.producer.sent) > 1
    assert [entry.line.end_offset for entry in entries] == list(range(1, 13))


async def test_a_record_that_was_withdrawn_is_never_sent() -> None:
    desk = Desk()
    gone, kept = desk.add(), desk.add()
    assert gone.withdraw()
    await turns()
    assert desk.producer.sent == [(0, 1)]
    assert not kept.withdraw()


@pytest.mark.parametrize("fault", [KafkaConnectionError(), asyncio.CancelledError()])
async def test_nobody_knows_what_became_of_a_bundle_that_failed(fault: BaseException) -> None:
    desk = Desk()
    entry = desk.add()
    await turns()
    desk.producer.fates[0].set_exception(fault)
    await turns()
    with pytest.raises(OutcomeUnknownError):
        await entry.waiter.future


async def test_what_the_producer_does_not_take_is_certainly_not_accepted() -> None:
    desk = Desk()
    desk.producer.fault = KafkaError()
    entry = desk.add()
    await turns()
    with pytest.raises(UnavailableError):
        await entry.waiter.future
    assert desk.broken


async def test_what_waits_for_a_producer_goes_with_the_next_one() -> None:
    desk = Desk()
    desk.bundles.use(None)
    desk.add()
    await turns()
    assert not desk.producer.sent
    desk.bundles.use(desk.producer)
    await turns()
    assert desk.producer.sent == [(0, 1)]


async def test_waits_end_in_the_order_of_their_beginning() -> None:
    patience = Patience(0.05)
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
    patience.begin(futures[0])
    await asyncio.sleep(0.03)
    patience.begin(futures[1])
    patience.begin(futures[2])
    patience.end(futures[2])
    with pytest.raises(TimeoutError):
        await futures[0]
    assert not futures[1].done()
    with pytest.raises(TimeoutError):
        await futures[1]
    assert not futures[2].done()


async def test_impatience_ends_all_waits_at_once() -> None:
    patience = Patience(3600)
    future = asyncio.get_running_loop().create_future()
    patience.begin(future)
    patience.lose()
    with pytest.raises(TimeoutError):
        await future
