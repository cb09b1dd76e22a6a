"""Our side: one edge and one worker, started as an operator would, and the hot coupon's maker."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks.ledger import STOCK, Ledger
from benchmarks.load import PRODUCTS, USERS
from benchmarks.machine import Circumstances
from benchmarks.services import Services, real_services
from benchmarks.sides import (
    BUDGET,
    COUPON_TOTAL,
    PRICE,
    charges_while_alive,
    temporary_database,
    wait_until,
)
from streams import wire
from streams.codec import encode_command, key_of
from streams.command_ids import new_command_id
from streams.kinds import KINDS
from streams.topics import topics_of

PARTITIONS = 8
"""Of each topic, as a fresh installation has them."""
PROGRAM = Path(sys.executable).with_name("fairline")
TRY_AGAIN = 75
"""Exit code of a process that should be started again."""


@dataclass(frozen=True)
class Fairline:
    """One edge and one worker on the real services."""

    url: str
    part_to_pid: Mapping[str, int]
    ledger: Ledger
    kafka_url: str
    topic_prefix: str
    name: str = "Fairline"
    works: tuple[str, ...] = ("charge", "coupon", "orders", "mixed")

    async def open_coupon(self, code: str) -> None:
        """Define the coupon as any direct producer would, and wait until it is in the database."""
        await self.append([wire.DefineCoupon(code, COUPON_TOTAL, 1000)])
        query = "SELECT count(*) FROM coupons WHERE coupon_code = $1"
        await wait_until(lambda: self._counts(1, query, code), f"the coupon {code}", 30)

    async def open_product(self, product_id: int) -> None:
        """Define a cheap product of which no run buys all; who orders it too soon is refused."""
        await self.append([wire.DefineProduct(product_id, "Mug", PRICE, STOCK)])

    async def open_shop(self) -> None:
        """Charge every user and define the products, by the log, and wait until it is done."""
        numbers = range(1, PRODUCTS + 1)
        await self.append(wire.DefineProduct(number, "Mug", PRICE, STOCK) for number in numbers)
        await self.append(wire.ChargeBalance(user, BUDGET) for user in range(1, USERS + 1))
        rich = "SELECT count(*) FROM wallets WHERE balance >= $1"
        await wait_until(lambda: self._counts(USERS, rich, BUDGET), "everybody's money")
        products = "SELECT count(*) FROM products WHERE stock = $1"
        await wait_until(lambda: self._counts(PRODUCTS, products, STOCK), "the products")

    async def append(self, payloads: Iterable[wire.Shape]) -> None:
        """Append commands as any direct producer would; they are in the log then, not applied."""
        topics = topics_of(self.topic_prefix, PARTITIONS)
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka_url, linger_ms=5)
        await producer.start()
        try:
            for payload in payloads:
                topic = getattr(topics, KINDS[type(payload).__name__].topic)
                value = encode_command(new_command_id(), payload)
                await producer.send(topic.name, value, key=key_of(payload))
            await producer.flush()
        finally:
            await producer.stop()

    async def _counts(self, least: int, query: str, *arguments: object) -> bool:
        connection = await asyncpg.connect(self.ledger.database_url)
        try:
            return bool(await connection.fetchval(query, *arguments) >= least)
        finally:
            await connection.close()

    async def delete_topics(self) -> None:
        """Leave nothing behind on a broker that was lent to us."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka_url)
        await admin.start()
        try:
            ours = [
                name for name in await admin.list_topics() if name.startswith(self.topic_prefix)
            ]
            await admin.delete_topics(ours)
        finally:
            await admin.close()


@asynccontextmanager
async def start_fairline(
    services: Services, database_url: str, logs: Path
) -> AsyncIterator[Fairline]:
    """Migrate, start edge and worker, wait until a charge goes all the way."""
    port, prefix = free_port(), f"bench-{secrets.token_hex(4)}-"
    environment = environment_of(services, database_url, logs, prefix) | {
        "FAIRLINE_HTTP_PORT": str(port),
        "FAIRLINE_WORKER_PORT": str(free_port()),
    }
    migration = await asyncio.create_subprocess_exec(PROGRAM, "migrate", env=environment)
    assert await migration.wait() == 0, "the migration failed"
    processes = _Processes(environment, logs)
    pids = dict(services.pids)
    ledger = Ledger(database_url)
    url = f"http://127.0.0.1:{port}"
    side = Fairline(url, pids, ledger, services.urls["broker"], prefix)
    try:
        await wait_until(lambda: processes.are_ready(url), "Fairline's first charge")
        pids.update(processes.pids())
        yield side
    finally:
        processes.stop()
    await side.delete_topics()


@asynccontextmanager
async def fairline_alone(
    folder: Path, database: str, around: Circumstances
) -> AsyncIterator[Fairline]:
    """Start real services and our side on them, with nobody beside it; note their versions."""
    with real_services(folder) as services:
        around.services = services.products
        async with (
            temporary_database(services.urls["database"], database) as url,
            start_fairline(services, url, folder) as side,
        ):
            yield side


class _Processes:
    """The edge and the worker, watched over until they are ready."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = environment
        self._log_to_child = {log: self._start(log) for log in (logs / "edge", logs / "worker")}

    def _start(self, log: Path) -> Child:
        return Child(Launch([PROGRAM, log.name], log=log, environment=self._environment))

    async def are_ready(self, url: str) -> bool:
        for log, child in self._log_to_child.items():
            # As under any supervisor: a worker leaves a Kafka that is not quite there yet.
            if child.exit_code() == TRY_AGAIN:
                self._log_to_child[log] = self._start(log)
        return await charges_while_alive(url, self._log_to_child)

    def pids(self) -> dict[str, int]:
        return {log.name: child.pid for log, child in self._log_to_child.items()}

    def stop(self) -> None:
        for child in self._log_to_child.values():
            child.stop(15.0)


def environment_of(
    services: Services, database_url: str, logs: Path, prefix: str
) -> dict[str, str]:
    """What every process of an installation is told."""
    return dict(os.environ) | {
        "FAIRLINE_KAFKA_URL": services.urls["broker"],
        "FAIRLINE_DATABASE_URL": database_url,
        "FAIRLINE_REDIS_URL": services.urls["cache"],
        "FAIRLINE_TOPIC_PREFIX": prefix,
        "FAIRLINE_DATA_DIR": str(logs / "data"),
    }
