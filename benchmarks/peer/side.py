"""The sides of the lock per request: a server of a style, and each lock policy a side."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks.ledger import STOCK, Ledger
from benchmarks.load import PRODUCTS, USERS
from benchmarks.peer import tables
from benchmarks.services import Services, driver_url, with_path
from benchmarks.sides import BUDGET, COUPON_TOTAL, PRICE, charges_while_alive, wait_until

POLICY_TO_NAME = {"wait": "lock, wait", "refuse": "lock, refuse", "rows": "row locks"}
# A charge holds its wallet's row in every policy, so one is asked to; and where nobody contends
# for a lock it is all the same whether they would wait. The bare style is shown beside the mapped
# one where that says something.
VARIANT_TO_WORKS = {
    ("mapped", "wait"): ("charge", "coupon", "orders", "mixed"),
    ("mapped", "refuse"): ("coupon",),
    ("mapped", "rows"): ("coupon", "orders", "mixed"),
    ("bare", "wait"): ("charge", "coupon", "orders"),
    ("bare", "rows"): ("coupon", "orders"),
}


def name_of(style: str, policy: str) -> str:
    """What a side is called in tables."""
    return f"{POLICY_TO_NAME[policy]} ({style})"


@dataclass(frozen=True)
class LockPerRequest:
    """One lock policy of one of the peer's servers."""

    name: str
    url: str
    works: tuple[str, ...]
    part_to_pid: Mapping[str, int]
    ledger: Ledger

    async def open_coupon(self, code: str) -> None:
        """Insert the coupon."""
        engine = create_async_engine(driver_url(self.ledger.database_url))
        async with engine.begin() as connection:
            row = {"coupon_code": code, "total": COUPON_TOTAL, "issued": 0}
            await connection.execute(insert(tables.coupons), row)
        await engine.dispose()

    async def open_shop(self) -> None:
        """Copy users' money and the products in, unless another policy of this server has."""
        connection = await asyncpg.connect(self.ledger.database_url)
        try:
            if not await connection.fetchval("SELECT count(*) FROM products"):
                for table, rows in _shop().items():
                    await connection.copy_records_to_table(
                        table, records=[tuple(row.values()) for row in rows], columns=list(rows[0])
                    )
        finally:
            await connection.close()


def _shop() -> dict[str, list[dict[str, Any]]]:
    users = [{"user_id": user} for user in range(1, USERS + 1)]
    entry = {"kind": "CHARGE", "amount": BUDGET, "balance_after": BUDGET}
    product = {"name": "Mug", "price": PRICE, "stock": STOCK}
    return {
        "wallets": [{**user, "balance": BUDGET} for user in users],
        "balance_entries": [{**user, **entry} for user in users],
        "products": [{"product_id": number, **product} for number in range(1, PRODUCTS + 1)],
    }


@asynccontextmanager
async def start_peers(
    services: Services, database_url: str, logs: Path, style: str
) -> AsyncIterator[list[LockPerRequest]]:
    """One server of the peer, ready, with its lock policies as sides."""
    engine = create_async_engine(driver_url(database_url))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    await engine.dispose()
    port, log = free_port(), logs / f"peer-{style}.log"
    command = [*_command(services, database_url, port), "--style", style]
    with ExitStack() as started:
        child = Child(Launch(command, log=log))
        started.callback(child.stop, 10.0)
        sides = [
            _side(services, database_url, (style, policy), (port, child.pid))
            for policy in POLICY_TO_NAME
            if (style, policy) in VARIANT_TO_WORKS
        ]
        url = sides[0].url
        await wait_until(partial(charges_while_alive, url, {log: child}), f"the {style} peer")
        yield sides


def _side(
    services: Services, database_url: str, variant: tuple[str, str], server: tuple[int, int]
) -> LockPerRequest:
    (style, policy), (port, pid) = variant, server
    shared = {part: pid for part, pid in services.pids.items() if part != "broker"}
    return LockPerRequest(
        name=name_of(style, policy),
        url=f"http://127.0.0.1:{port}/{policy}",
        works=VARIANT_TO_WORKS[variant],
        part_to_pid={"server": pid} | shared,
        ledger=Ledger(database_url),
    )


def _command(services: Services, database_url: str, port: int) -> list[str]:
    # A Redis database of its own on the same server, as it has in PostgreSQL.
    redis_url = with_path(services.urls["cache"], "1")
    stores = ["--database", driver_url(database_url), "--redis", redis_url]
    program = [sys.executable, "-m", "benchmarks.peer.server"]
    return [*program, *stores, "--port", str(port)]
