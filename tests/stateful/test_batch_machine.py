"""The real batch on a real SQLite file: records in, rows out, against the same model."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from domain.entities import BalanceEntry, Coupon, Product, UserCoupon, Wallet
from storage import schema
from storage.command_log import Disposition, LogRow
from storage.engine import Database, create_database
from storage.marks import Mark, insert_marks
from storage.migrate import upgrade_async
from storage.orders import load_orders
from streams.applying import PersistentApplier
from streams.batch import BatchApplier
from streams.codec import CommandReader
from streams.decisions import Rulebook
from streams.health import WorkerHealth
from streams.records import Record
from tests.stateful.entities import Entities, facts_of
from tests.stateful.log_in_memory import TOPICS
from tests.stateful.machine import BALANCE_MAX, EXPIRY_MS, CommandMachine, counts, topics

RULEBOOK = Rulebook(TOPICS, 1, BALANCE_MAX, EXPIRY_MS)


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


class BatchMachine(CommandMachine):
    """Two workers on one database; both believe that they own every partition."""

    seen: ClassVar[Counter[str]] = Counter()
    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.file = self.folder / "shop.db"
        shutil.copy(self.template, self.file)
        self.runner = asyncio.Runner()
        self.databases: list[Database] = []
        self.start_workers()

    def start_workers(self) -> None:
        self.databases = [create_database(url_of(self.file)) for _ in range(2)]
        self.workers = [
            PersistentApplier(
                BatchApplier(database, CommandReader(TOPICS), RULEBOOK),
                self.log,
                WorkerHealth(),
                retry_seconds_max=5,
            )
            for database in self.databases
        ]

    def stop_workers(self) -> None:
        for database in self.databases:
            self.runner.run(database.dispose())

    def apply(self, records: list[Record]) -> list[LogRow]:
        return self.runner.run(self.workers[0].apply(records))

    @rule(topic=topics, skipped=st.integers(1, 5), count=counts)
    def deliver_past_a_hole(self, topic: str, skipped: int, count: int) -> None:
        """Records before these did not come; the worker has to fetch them from the log."""
        self.take(self.waiting(topic)[skipped : skipped + count])

    @rule(topic=topics, count=counts)
    def deliver_to_both_workers(self, topic: str, count: int) -> None:
        async def race() -> list[list[LogRow]]:
            return await asyncio.gather(*(worker.apply(records) for worker in self.workers))

        if records := self.waiting(topic)[:count]:
            for rows in self.runner.run(race()):
                self.check(records, rows)

    @rule()
    def restart_workers(self) -> None:
        self.stop_workers()
        self.start_workers()

    def facts(self) -> dict[str, Any]:
        return facts_of(self.runner.run(read_entities(self.databases[1])))

    def teardown(self) -> None:
        super().teardown()
        self.stop_workers()
        self.runner.close()
        shutil.rmtree(self.folder)


async def read_entities(database: Database) -> Entities:
    async with database.snapshot() as connection:

        async def every(kind: Any, table: sa.Table) -> list[Any]:
            columns = [table.c[name] for name in kind.__dataclass_fields__]
            return [kind(*row) for row in await connection.execute(sa.select(*columns))]

        order_ids = await connection.scalars(sa.select(schema.orders.c.order_id))
        return Entities(
            wallets=await every(Wallet, schema.wallets),
            entries=await every(BalanceEntry, schema.balance_entries),
            products=await every(Product, schema.products),
            coupons=await every(Coupon, schema.coupons),
            copies=await every(UserCoupon, schema.user_coupons),
            orders=(await load_orders(connection, order_ids)).loaded.values(),
        )


async def make_template(file: Path) -> None:
    await upgrade_async(url_of(file))
    database = create_database(url_of(file))
    async with database.begin() as connection:
        marks = [Mark(t.name, p, 1, 0, 0) for t in TOPICS.commands for p in range(t.partitions)]
        await insert_marks(connection, marks)
    await database.dispose()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[BatchMachine]]:
    file = tmp_path_factory.mktemp("machine") / "template.db"
    asyncio.run(make_template(file))
    BatchMachine.template = file
    yield BatchMachine
    assert not [path for path in file.parent.iterdir() if path.is_dir()]


def test_every_stored_reply_is_the_models(machine: type[BatchMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert {disposition.value for disposition in Disposition} <= machine.seen.keys()
