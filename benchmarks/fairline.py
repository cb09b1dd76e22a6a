"""Our side: one edge and one worker, started as an operator would, and the hot coupon's maker."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks.services import Services
from benchmarks.sides import COUPON_TOTAL, Ledger, charges_while_alive, wait_until

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
    works: tuple[str, ...] = ("charge", "coupon")

    async def open_coupon(self, code: str) -> None:
        """Define the coupon as any direct producer would, and wait until it is in the database."""
        payload = {"couponCode": code, "total": COUPON_TOTAL, "discountAmount": 1000}
        await self._define("coupon-commands", code, "DefineCoupon", payload)
        await wait_until(lambda: self._is_open(code), f"the coupon {code}", 30)

    async def open_product(self, product_id: int) -> None:
        """Define a cheap product of which no run buys all; who orders it too soon is refused."""
        payload = {"productId": product_id, "name": "Mug", "price": 5, "stock": 10**9}
        await self._define("catalog-commands", str(product_id), "DefineProduct", payload)

    async def _define(self, topic: str, key: str, kind: str, payload: Mapping[str, Any]) -> None:
        command = {"commandId": str(uuid.uuid4()), "type": kind, "payload": payload}
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka_url)
        await producer.start()
        try:
            value = json.dumps(command).encode()
            await producer.send_and_wait(self.topic_prefix + topic, value, key=key.encode())
        finally:
            await producer.stop()

    async def _is_open(self, code: str) -> bool:
        connection = await asyncpg.connect(self.ledger.database_url)
        try:
            query = "SELECT count(*) FROM coupons WHERE coupon_code = $1"
            return bool(await connection.fetchval(query, code))
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
    port, prefix = free_port(), f"bench-{uuid.uuid4().hex[:8]}-"
    environment = _environment(services, database_url, logs, prefix) | {
        "FAIRLINE_HTTP_PORT": str(port),
        "FAIRLINE_WORKER_PORT": str(free_port()),
    }
    migration = await asyncio.create_subprocess_exec(PROGRAM, "migrate", env=environment)
    assert await migration.wait() == 0, "the migration failed"
    processes = _Processes(environment, logs)
    pids = dict(services.pids)
    ledger = Ledger(database_url, "balance_entries")
    url = f"http://127.0.0.1:{port}"
    side = Fairline(url, pids, ledger, services.urls["broker"], prefix)
    try:
        await wait_until(lambda: processes.are_ready(url), "Fairline's first charge")
        pids.update(processes.pids())
        yield side
    finally:
        processes.stop()
    await side.delete_topics()


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


def _environment(services: Services, database_url: str, logs: Path, prefix: str) -> dict[str, str]:
    return dict(os.environ) | {
        "FAIRLINE_KAFKA_URL": services.urls["broker"],
        "FAIRLINE_DATABASE_URL": database_url,
        "FAIRLINE_REDIS_URL": services.urls["cache"],
        "FAIRLINE_TOPIC_PREFIX": prefix,
        "FAIRLINE_DATA_DIR": str(logs / "data"),
    }
