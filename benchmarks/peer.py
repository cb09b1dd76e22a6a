"""The side of the lock per request: its database, and one server process for each lock policy."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks import peer_tables as tables
from benchmarks.services import Services, with_path
from benchmarks.sides import COUPON_TOTAL, Ledger, charges_while_alive, wait_until

# Both policies charge alike, so one of them is asked to.
POLICY_TO_WORKS = {"wait": ("charge", "coupon"), "refuse": ("coupon",)}


@dataclass(frozen=True)
class LockPerRequest:
    """One server of the peer."""

    name: str
    url: str
    works: tuple[str, ...]
    part_to_pid: Mapping[str, int]
    ledger: Ledger

    async def open_coupon(self, code: str) -> None:
        """Insert the coupon."""
        engine = create_async_engine(_driven(self.ledger.database_url))
        async with engine.begin() as connection:
            row = {"coupon_code": code, "total": COUPON_TOTAL, "issued": 0}
            await connection.execute(insert(tables.coupons), row)
        await engine.dispose()


@asynccontextmanager
async def start_peers(
    services: Services, database_url: str, logs: Path, style: str = "core"
) -> AsyncIterator[list[LockPerRequest]]:
    """Both variants of the peer, ready; they share one database, as two servers would."""
    engine = create_async_engine(_driven(database_url))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    await engine.dispose()
    sides = []
    with ExitStack() as started:
        for policy in POLICY_TO_WORKS:
            port = free_port()
            log = logs / f"peer-{policy}.log"
            command = _command(services, database_url, port)
            child = Child(Launch([*command, "--style", style, "--lock", policy], log=log))
            started.callback(child.stop, 10.0)
            side = _side(services, database_url, (style, policy), (port, child.pid))
            await wait_until(partial(charges_while_alive, side.url, {log: child}), side.name)
            sides.append(side)
        yield sides


def _side(
    services: Services, database_url: str, variant: tuple[str, str], server: tuple[int, int]
) -> LockPerRequest:
    (style, policy), (port, pid) = variant, server
    shared = {part: pid for part, pid in services.pids.items() if part != "broker"}
    return LockPerRequest(
        name=f"lock ({style}), {policy}",
        url=f"http://127.0.0.1:{port}",
        works=POLICY_TO_WORKS[policy],
        part_to_pid={"server": pid} | shared,
        ledger=Ledger(database_url, "charges"),
    )


def _command(services: Services, database_url: str, port: int) -> list[str]:
    # A Redis database of its own on the same server, as it has in PostgreSQL.
    redis_url = with_path(services.urls["cache"], "1")
    stores = ["--database", _driven(database_url), "--redis", redis_url]
    program = [sys.executable, "-m", "benchmarks.lock_per_request"]
    return [*program, *stores, "--port", str(port)]


def _driven(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)
