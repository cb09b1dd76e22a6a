"""The real batch on real databases: records in, rows out, against the same model."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import rule

from domain.entities import BalanceEntry, Coupon, Product, UserCoupon, Wallet
from storage import schema
from storage.command_log import Disposition, LogRow
from storage.engine import Database, create_database
from storage.marks import Mark, insert_marks
from storage.migrate import upgrade
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
from tests.stateful.rounds import run_rounds

RULEBOOK = Rulebook(TOPICS, 1, BALANCE_MAX, EXPIRY_MS)


class BatchMachine(CommandMachine):
    """Two workers on one database; both believe that they own every partition."""

    seen: ClassVar[Counter[str]] = Counter()
    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.databases: list[Database] = []
        self.start_workers()
        self.runner.run(start_anew(self.databases[0]))

    def start_workers(self) -> None:
        self.databases = [create_database(self.url, connections_max=2) for _ in range(2)]
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

    def close(self) -> None:
        self.stop_workers()
        self.runner.close()

    def teardown(self) -> None:
        super().teardown()
        self.close()


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


async def start_anew(database: Database) -> None:
    """Empty every table; the marks of a log that nobody has read."""
    marks = [Mark(t.name, p, 1, 0, 0) for t in TOPICS.commands for p in range(t.partitions)]
    async with database.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            await connection.execute(table.delete())
        await insert_marks(connection, marks)


@pytest.fixture(params=["sqlite", "postgres"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> type[BatchMachine]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"
    else:
        plain: str = request.getfixturevalue("database_url")
        url = plain.replace("postgresql://", "postgresql+asyncpg://")
    upgrade(url)
    return type("Machine", (BatchMachine,), {"url": url, "seen": Counter()})


def test_every_stored_reply_is_the_models(machine: type[BatchMachine]) -> None:
    dispositions = {disposition.value for disposition in Disposition}
    run_rounds(machine, dispositions, examples=15, steps=40)


def test_an_id_that_another_principal_used_for_the_same_user_moves_no_money(
    machine: type[BatchMachine],
) -> None:
    """Ids are a principal's own, but what a command makes takes its id from it.

    Of the same content it is the same charge, whoever sends it; of another one a conflict.
    """
    shop = machine()
    charge = {"commandId": str(UUID(int=1)), "type": "ChargeBalance"}
    for number, principal in enumerate(("svc:a", "svc:b", "svc:c")):
        payload = {"userId": 1, "amount": 10**number}
        shop.log.append({**charge, "payload": payload, "principal": principal})
    shop.log.append({**charge, "payload": {"userId": 1, "amount": 5}})
    shop.log.append({**charge, "payload": {"userId": 1, "amount": 1}, "principal": "svc:d"})
    shop.log.append({**charge, "commandId": str(UUID(int=2)), "payload": payload})
    rows = shop.apply(shop.waiting("user-commands"))
    stored = shop.facts()
    shop.close()
    told = [row.disposition for row in rows]
    assert told == ["APPLIED", "REFUSED", "REFUSED", "REFUSED", "REPEATED", "APPLIED"]
    assert all("IDEMPOTENCY_KEY_REUSED" in row.body for row in rows[1:4])
    assert rows[4].body == rows[0].body
    assert stored["balances"] == {1: 1 + 100}
