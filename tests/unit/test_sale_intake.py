"""Requests to rebuild, as the ranking's agent meets them between sales."""

from typing import NoReturn
from uuid import UUID

from storage.sales import HourSums, SalesSnapshot
from streams.records import Place, Record
from streams.topics import topics_of
from tables.live import LiveSales
from tables.loading import Assignment
from tables.sale_intake import SaleIntake
from tables.sale_reader import encode_rebuild
from tests.sales_in_memory import PlainTable

PARTITIONS = 4
TOPICS = topics_of("t-", PARTITIONS)
NOW = 1_773_146_096_789


def never(why: str) -> NoReturn:
    raise AssertionError(why)


class Worker:
    """The parts of a worker that a request passes through; loading is counted, not done."""

    def __init__(self) -> None:
        self.loads = 0
        self.live = LiveSales(PlainTable())
        # Without a producer a dead letter is an error.
        self.intake = SaleIntake(self.live, None, TOPICS, reload=self.reload, leave=never)
        self.assign(7)

    async def reload(self) -> None:
        self.loads += 1

    def assign(self, generation: int) -> None:
        snapshot = SalesSnapshot({}, HourSums())
        self.live.load(snapshot, Assignment(generation, range(PARTITIONS), PARTITIONS), NOW)

    async def read(self, rebuild: int, partitions: range = range(PARTITIONS)) -> int:
        """Read the request's record on some partitions; return how often was loaded by now."""
        for partition in partitions:
            place = Place(TOPICS.product_sales.name, partition, 0)
            value = encode_rebuild(UUID(int=rebuild))
            await self.intake.take(Record(place, None, value, (), NOW, 0))
        return self.loads


async def test_a_request_loads_once_for_all_own_partitions() -> None:
    worker = Worker()
    assert await worker.read(1) == 1
    assert await worker.read(2) == 2


async def test_two_requests_that_cross_load_once_each() -> None:
    worker = Worker()
    await worker.read(1, range(2))
    await worker.read(2)
    assert await worker.read(1, range(2, 4)) == 2


async def test_a_request_that_comes_again_to_another_division_loads_again() -> None:
    worker = Worker()
    await worker.read(1)
    worker.assign(8)
    assert await worker.read(1) == 2
