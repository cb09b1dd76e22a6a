"""What a command costs at load beside time: bytes, records, round trips, memory.

Each work is sent twice: to processes that reach the database directly, for CPU and memory, and to
others behind counting proxies, for round trips.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from app.services.kafka import Kafka
from benchmarks.cpu import resident_bytes
from benchmarks.fairline import Fairline
from benchmarks.limits.installation import Installation, Process, installed, until_ready
from benchmarks.limits.memory import unshared_bytes
from benchmarks.limits.metrics import counted_in, metrics_of
from benchmarks.limits.options import Options
from benchmarks.limits.round_trips import counted
from benchmarks.limits.waiting import records_in
from benchmarks.load import Load
from benchmarks.rounds import Round, run_round
from benchmarks.services import Services

WORKS = ("charge", "coupon", "orders")
OURS = ("edge", "worker")
WARM_SECONDS = 3
MB = 1 << 20
WAL = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8"


class Cost(msgspec.Struct):
    """Of one work. For each command means: for each that was answered as done."""

    work: str
    commands: int
    per_second: float
    cpu_us: dict[str, float]
    """Of each part, for each command."""
    kafka_records: dict[str, float]
    """Of each topic, for each command; markers of transactions are records too."""
    kafka_bytes: dict[str, float]
    """Of each topic, for each command; empty where the broker is not ours."""
    wal_bytes: float
    """Of PostgreSQL's log, for each command."""
    batch_records: float
    """Records of a batch of the worker."""
    transactions: float
    """Of the database, for each command."""
    resident_mb: dict[str, float]
    unshared_mb: dict[str, float]
    """Of edge and worker."""
    trips: dict[str, float]
    """How often edge and worker wait for the database, for each command."""
    trips_per_batch: float
    """Of the worker; its looks at marks and lags are among them."""
    faults: list[str]


class Reading(msgspec.Struct):
    """All that has been counted until a moment."""

    records: dict[str, float]
    sizes: dict[str, float]
    wal: float
    batches: float
    applied: float
    trips: dict[str, float]


@dataclass
class Shop:
    """An edge and a worker under load, and all that can be counted of them."""

    installation: Installation
    side: Fairline
    worker: Process
    broker: Path | None
    """Its folder, where it is ours."""
    trips: Mapping[str, Callable[[], int]]

    async def read(self) -> Reading:
        """Count everything."""
        topics = self.installation.topics.all
        metrics = await metrics_of(self.worker.url)
        return Reading(
            records=_named(await records_in(self.installation.kafka_url, topics), self.prefix),
            sizes=_named(log_sizes(self.broker, self.prefix), self.prefix),
            wal=await wal_bytes(self.installation.database_url),
            batches=counted_in(metrics, "fairline_batches_total"),
            applied=counted_in(metrics, "fairline_records_applied_total"),
            trips={part: float(told()) for part, told in self.trips.items()},
        )

    @property
    def prefix(self) -> str:
        """What the topics' names begin with."""
        return self.installation.topic_prefix

    async def run(self, work: str, number: int, options: Options) -> tuple[Round, Reading]:
        """Warm up, send a work, and say what it has moved."""
        for seconds in (WARM_SECONDS, options.seconds):
            number += 1
            code = f"COST-{number}"
            await self.side.open_coupon(code)
            before = await self.read()
            load = Load(work, self.side.url, options.connections, seconds, number, code)
            done = await run_round(self.side, [], load)
        return done, difference(await self.read(), before)


async def measure(services: Services, folder: Path, options: Options) -> list[Cost]:
    """Send each work twice."""
    found = {}
    async with open_shop(services, folder, proxied=False) as shop:
        for number, work in enumerate(WORKS):
            done, moved = await shop.run(work, number * 10, options)
            pids = {part: shop.side.part_to_pid[part] for part in OURS}
            found[work] = cost_of(done, moved, resident_bytes(pids), unshared_bytes(pids))
    async with open_shop(services, folder, proxied=True) as shop:
        for number, work in enumerate(WORKS):
            done, moved = await shop.run(work, number * 10, options)
            add_trips(found[work], done, moved)
            tell(found[work])
    return list(found.values())


@asynccontextmanager
async def open_shop(services: Services, folder: Path, *, proxied: bool) -> AsyncIterator[Shop]:
    """Start edge and worker, and make what orders name."""
    async with AsyncExitStack() as opened:
        installation = await opened.enter_async_context(installed(services, folder))
        processes, trips = {}, {}
        for part in OURS:
            url = installation.database_url
            if proxied:
                url, trips[part] = await opened.enter_async_context(counted(url))
            started = installation.started(part, database_url=url)
            processes[part] = opened.enter_context(started)
        await until_ready(*processes.values())
        side = installation.side(processes["edge"], worker=processes["worker"])
        await side.open_shop()
        broker = folder / Kafka.name if "broker" in services.pids else None
        yield Shop(installation, side, processes["worker"], broker, trips)


def log_sizes(broker: Path | None, prefix: str) -> dict[str, int]:
    """Sum the bytes of each topic's log in a broker's folder; nothing where that is not ours."""
    found: dict[str, int] = {}
    if broker is not None:
        for file in broker.glob(f"data/{prefix}*/*.log"):
            topic = file.parent.name.rpartition("-")[0]
            found[topic] = found.get(topic, 0) + file.stat().st_size
    return found


async def wal_bytes(database_url: str) -> float:
    """How much PostgreSQL has written to its log, of all databases."""
    connection = await asyncpg.connect(database_url)
    try:
        return float(await connection.fetchval(WAL))
    finally:
        await connection.close()


def _named(by_topic: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {topic.removeprefix(prefix): float(number) for topic, number in by_topic.items()}


def difference(later: Reading, earlier: Reading) -> Reading:
    """What happened between two readings."""

    def less(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
        return {name: number - before.get(name, 0.0) for name, number in after.items()}

    return Reading(
        records=less(later.records, earlier.records),
        sizes=less(later.sizes, earlier.sizes),
        wal=later.wal - earlier.wal,
        batches=later.batches - earlier.batches,
        applied=later.applied - earlier.applied,
        trips=less(later.trips, earlier.trips),
    )


def cost_of(
    done: Round, moved: Reading, resident: Mapping[str, float], unshared: Mapping[str, float]
) -> Cost:
    """Say what a round means for each command."""
    commands = max(done.applied, 1)

    def each(numbers: Mapping[str, float], unit: float = 1.0) -> dict[str, float]:
        return {name: n / unit / commands for name, n in numbers.items() if n}

    return Cost(
        work=done.work,
        commands=done.applied,
        per_second=done.per_second,
        cpu_us=each(done.cpu_seconds, 1e-6),
        kafka_records=each(moved.records),
        kafka_bytes=each(moved.sizes),
        wal_bytes=moved.wal / commands,
        batch_records=moved.applied / max(moved.batches, 1),
        transactions=done.transactions / commands,
        resident_mb={part: n / MB for part, n in resident.items()},
        unshared_mb={part: n / MB for part, n in unshared.items()},
        trips={},
        trips_per_batch=0.0,
        faults=list(done.faults),
    )


def add_trips(cost: Cost, done: Round, moved: Reading) -> None:
    """Add what the proxies have counted in another round of the same work."""
    cost.trips = {part: number / max(done.applied, 1) for part, number in moved.trips.items()}
    cost.trips_per_batch = moved.trips["worker"] / max(moved.batches, 1)
    cost.faults += done.faults


def tell(cost: Cost) -> None:
    """One line while it runs."""
    parts = ", ".join(f"{part} {us:.0f} µs" for part, us in cost.cpu_us.items())
    line = (
        f"{cost.work}: {parts}; {sum(cost.kafka_records.values()):.2f} records and"
        f" {sum(cost.kafka_bytes.values()):.0f} bytes on Kafka, {cost.wal_bytes:.0f} bytes of WAL;"
        f" {cost.batch_records:.1f} records and {cost.trips_per_batch:.1f} round trips a batch"
    )
    print(line, *cost.faults, sep="; ", flush=True)


def figures(costs: list[Cost]) -> dict[str, float]:
    """The goal table's figure: of edge and worker, in milliseconds."""
    charge = next(cost for cost in costs if cost.work == "charge")
    return {"cpu_ms_per_charge": sum(charge.cpu_us[part] for part in OURS) / 1000}
