"""The daily batch in workers that run, on real Kafka and PostgreSQL, as midnight passes."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.node import faust_settings
from app.services.ports import free_port
from domain.ranking import HOUR_MS, daily_window, day_of, hour_of
from storage.daily_ranking import Compared, DailyRun, load_daily_run
from storage.engine import Database, create_database
from streams import wire
from tables.clock import now_ms
from tables.daily import Clock
from tables.worker import RankingWorker
from tests.client import Listener, Producer, eventually
from tests.contract.paid_orders import define, order
from tests.installation import Installation

PRODUCTS = range(1, 13)
USERS = range(1, 61)
# It must not pass by the brokers' clock too while the test runs: payments are dated by that one.
AHEAD_MS = 5 * 60_000


# The hour of the test is not known, so the zone is chosen whose midnight comes next:
#
#      brokers' clock        ...  *payments*  |<-- 5 to 65 minutes -->| midnight
#      the batch's clock                              ... *payments*  | midnight, 2 s later
def next_midnight() -> int:
    """The whole hour that comes next, though not at once."""
    return hour_of(now_ms() + AHEAD_MS) + HOUR_MS


def zone_of(midnight_ms: int) -> ZoneInfo:
    """A zone in which a whole hour of UTC is midnight; their names have the sign turned round."""
    hour = midnight_ms // HOUR_MS % 24
    return ZoneInfo(f"Etc/GMT+{hour}" if hour <= 12 else f"Etc/GMT-{24 - hour}")


def clock_before(midnight_ms: int, seconds: float) -> Clock:
    """A clock that runs like any other, and will strike midnight in so many seconds."""
    began = time.monotonic()

    async def clock() -> int:
        return midnight_ms + round((time.monotonic() - began - seconds) * 1000)

    return clock


@asynccontextmanager
async def ranking(
    installation: Installation, zone: ZoneInfo, clock: Clock
) -> AsyncIterator[RankingWorker]:
    """A ranking worker in this process, whose daily batch goes by another clock."""
    settings = installation.settings
    database = create_database(settings.sqlalchemy_url)
    port = free_port()
    worker = RankingWorker(
        faust_settings(settings, "ranking", port),
        database,
        installation.topics,
        zone,
        owner=f"http://127.0.0.1:{port}",
        daily_clock=clock,
    )
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()
        await database.dispose()


@asynccontextmanager
async def opened(installation: Installation) -> AsyncIterator[Database]:
    database = create_database(installation.settings.sqlalchemy_url)
    yield database
    await database.dispose()


async def sold_by_sql(installation: Installation) -> list[tuple[int, int]]:
    statement = (
        "SELECT product_id, sum(quantity)::bigint FROM order_lines JOIN orders USING (order_id)"
        " WHERE status = 'PAID' GROUP BY product_id ORDER BY 2 DESC, 1 LIMIT 5"
    )
    return [(row[0], row[1]) for row in await installation.query(statement)]


async def unpaid_orders(producer: Producer, listener: Listener) -> list[wire.PayOrder]:
    """Payments that will be good, of orders of two products each."""
    catalog = [wire.DefineProduct(each, f"p{each}", 10, 100_000) for each in PRODUCTS]
    charges = [wire.ChargeBalance(user_id, 100_000) for user_id in USERS]
    await listener.results_of(await producer.send_all([*catalog, *charges]))
    created = await producer.send_all(
        [
            wire.CreateOrder(
                user_id,
                [wire.OrderItem(user_id % 12 + 1, 1), wire.OrderItem(user_id * 7 % 5 + 1, 2)],
            )
            for user_id in USERS
        ]
    )
    assert {result.status for result in await listener.results_of(created)} == {200}
    return [
        wire.PayOrder(user_id, sent.command_id)
        for user_id, sent in zip(USERS, created, strict=True)
    ]


@pytest.mark.timeout(120)
async def test_midnight_passes_and_the_ranking_is_that_of_the_live_table(
    installation: Installation,
) -> None:
    async with AsyncExitStack() as stack:
        producer, listener = await stack.enter_async_context(installation.observed())
        database = await stack.enter_async_context(opened(installation))
        async with installation.worker():
            pays = await unpaid_orders(producer, listener)
            await listener.results_of(await producer.send_all(pays[:40]))
        # Nobody applies these before midnight; they belong to the day before it all the same.
        await producer.send_all(pays[40:])
        words = ("worker", "--kind", "ranking")
        other = await stack.enter_async_context(
            installation.process(*words, port_name="ranking_port")
        )
        await other.ready()
        midnight_ms = next_midnight()
        zone, clock = zone_of(midnight_ms), clock_before(midnight_ms, seconds=2)
        await stack.enter_async_context(ranking(installation, zone, clock))

        async def is_waiting() -> bool:
            return bool(await installation.query("SELECT holder FROM leases"))

        await eventually(is_waiting, "a batch that waits for payments")
        assert await stored(database) is None
        async with installation.worker():

            async def is_compared() -> bool:
                run = await stored(database)
                return run is not None and run.compared is not None

            await eventually(is_compared, "the stored ranking, compared")
        run = await stored(database)
        assert run is not None
        assert run.day == day_of(midnight_ms, zone)
        assert run.window == (midnight_ms - 72 * HOUR_MS, midnight_ms)
        assert [(p.product_id, p.quantity) for p in run.places] == await sold_by_sql(installation)
        paid = await installation.query("SELECT count(*) FROM orders WHERE status = 'PAID'")
        assert paid == [(len(USERS),)]
        assert run.compared is not None
        # The live table is an hour further; or two, where the real hour ends in five minutes.
        assert run.compared in [Compared(len(PRODUCTS), hours, 0) for hours in (70, 71)]


async def test_of_two_workers_that_start_together_one_makes_up_for_midnight(
    installation: Installation,
) -> None:
    zone = installation.settings.zone
    today = datetime.now(zone).date()
    midnight_ms = daily_window(today, zone).end_ms
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(installation))
        await define(database, *PRODUCTS)
        for each in PRODUCTS:
            await order(database, midnight_ms - each, **{f"p{each}": each})
        processes = [
            await stack.enter_async_context(
                installation.process("worker", "--kind", "ranking", port_name="ranking_port")
            )
            for _ in range(2)
        ]

        async def is_compared() -> bool:
            run = await stored(database)
            return run is not None and run.compared is not None

        await eventually(is_compared, "the stored ranking, compared")
        run = await stored(database)
        assert run is not None
        assert run.day == today
        assert [place.product_id for place in run.places] == [12, 11, 10, 9, 8]
        # Each holds a part of the products; those that both told of are all there are.
        assert run.compared is not None
        assert (run.compared.products, run.compared.differences) == (len(PRODUCTS), 0)
        said = "".join(process.log.read_text() for process in processes)
        assert said.count(f"daily ranking of {today} stored") == 1
        assert said.count("with the live table: 0 differences") == 1


async def stored(database: Database) -> DailyRun | None:
    async with database.connect() as connection:
        return await load_daily_run(connection)
