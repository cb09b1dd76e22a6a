"""Our side: one edge and one worker, started as an operator would, and the hot coupon's maker."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks.services import Services
from benchmarks.sides import COUPON_TOTAL, Ledger, charges_probe, wait_until

PROGRAM = Path(sys.executable).with_name("fairline")


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
        command = {"commandId": str(uuid.uuid4()), "type": "DefineCoupon", "payload": payload}
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka_url)
        await producer.start()
        try:
            value = json.dumps(command).encode()
            topic = f"{self.topic_prefix}coupon-commands"
            await producer.send_and_wait(topic, value, key=code.encode())
        finally:
            await producer.stop()
        await wait_until(lambda: self._is_open(code), f"the coupon {code}", 30)

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
    pids = dict(services.pids)
    url = f"http://127.0.0.1:{port}"
    ledger = Ledger(database_url, "balance_entries")
    side = Fairline(url, pids, ledger, services.urls["broker"], prefix)
    with ExitStack() as started:
        for part in ("edge", "worker"):
            log = logs / f"{part}.log"
            child = Child(Launch([PROGRAM, part], log=log, environment=environment))
            started.callback(child.stop, 15.0)
            pids[part] = child.pid
        await wait_until(lambda: charges_probe(url), "Fairline's first charge")
        yield side
    await side.delete_topics()


def _environment(services: Services, database_url: str, logs: Path, prefix: str) -> dict[str, str]:
    return dict(os.environ) | {
        "FAIRLINE_KAFKA_URL": services.urls["broker"],
        "FAIRLINE_DATABASE_URL": database_url,
        "FAIRLINE_REDIS_URL": services.urls["cache"],
        "FAIRLINE_TOPIC_PREFIX": prefix,
        "FAIRLINE_DATA_DIR": str(logs / "data"),
    }
