"""What the batch body costs by itself: encoded records in, a committed transaction out.

No Kafka, no Faust, no HTTP: records are made in memory and handed to `BatchApplier.apply`, which
works on a real database. CPU time is told apart: this process, and the server's process behind
the connection.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import asyncpg
import msgspec

from benchmarks.limits.round_trips import counted
from benchmarks.services import driver_url
from benchmarks.sides import temporary_database
from storage.engine import Database, create_database
from storage.marks import LogEpoch, Mark, insert_log_epoch, insert_marks
from storage.migrate import upgrade_async
from streams import wire
from streams.batch import BatchApplier
from streams.codec import (
    REQUEST_TOKEN,
    RESULTS_PARTITION,
    CommandReader,
    encode_command,
    key_of,
    partition_of,
)
from streams.command_ids import uuid_7
from streams.decisions import Rulebook
from streams.kinds import KINDS
from streams.published import Published, ends_of
from streams.records import LOG_APPEND_TIME, Place, Record
from streams.topics import topics_of

TOPICS = topics_of("", 8)
EPOCH = 1
USERS, PRODUCTS = 5_000, 1_000
START_MS = 1_800_000_000_000
SAMPLE_KINDS = ("charge", "issue", "create", "pay", "cancel")


class BatchBodyRate(msgspec.Struct):
    """One kind of command in batches of one size."""

    kind: str
    batch_size: int
    commands: int
    commands_per_second: float
    worker_us: float
    """CPU time of the process that applies, microseconds for each command."""
    database_us: float
    """CPU time of the server's process behind the connection; 0 where it is not known."""
    round_trips: float
    """How often a batch waits for the database."""


class Log:
    """Makes the records of a log; ids and keys are by chance, but the same in each run."""

    def __init__(self) -> None:
        self._made = 0
        self._ends: dict[tuple[str, int], int] = {}
        self._chance = _chances()
        self.orders: list[tuple[int, str]] = []
        """Orders that were created and are not paid, with their users."""
        self.paid: list[tuple[int, str]] = []
        self.published = Published()

    def record(self, payload: wire.Shape) -> Record:
        """Append one command to its partition."""
        self._made += 1
        at_ms = START_MS + self._made
        # As an edge makes them: they grow with time.
        command_id = uuid_7(at_ms, next(self._chance) << 64 | self._made)
        key = key_of(payload)
        topic = getattr(TOPICS, KINDS[type(payload).__name__].topic).name
        partition = partition_of(key, 8)
        offset = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = offset + 1
        if isinstance(payload, wire.CreateOrder):
            self.orders.append((payload.user_id, str(command_id)))
        headers = ((REQUEST_TOKEN, b"%032x" % self._made), (RESULTS_PARTITION, b"3"))
        place = Place(topic, partition, offset)
        value = encode_command(command_id, payload)
        return Record(place, key, value, headers, at_ms, LOG_APPEND_TIME)

    def records(self, kind: str) -> Iterator[Record]:
        """Go on making records of one kind of work."""
        while True:
            yield self.record(self._payload(kind))

    def _payload(self, kind: str) -> wire.Shape:
        user_id = next(self._chance) % USERS + 1
        if kind == "issue":
            return wire.IssueCoupon(self._made + 1_000_000, "HOT")
        if kind == "create":
            first = next(self._chance) % PRODUCTS
            items = [wire.OrderItem((first + n * 7) % PRODUCTS + 1, n + 1) for n in range(2)]
            return wire.CreateOrder(user_id, items)
        if kind == "pay":
            self.paid.append(self.orders.pop())
            return wire.PayOrder(*self.paid[-1])
        if kind == "cancel":
            return wire.CancelOrder(*self.paid.pop())
        return wire.ChargeBalance(user_id, 10)


def _chances() -> Iterator[int]:
    """Make 64-bit numbers that look like chance, always the same (SplitMix64)."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        yield mixed ^ (mixed >> 31)


async def batch_body_rates(
    database_url: str, kind: str, batch_sizes: Sequence[int], *, commands: int = 20_000
) -> list[BatchBodyRate]:
    """Measure one kind of command in a new database of a server, which is dropped afterwards.

    `database_url` is postgresql:// of any database there. Small batches get fewer commands.
    """
    async with temporary_database(database_url, "bench") as url:
        return await _measure(url, kind, batch_sizes, commands)


async def _measure(
    url: str, kind: str, batch_sizes: Sequence[int], commands: int
) -> list[BatchBodyRate]:
    log = Log()
    await open_shop(url, log, kind, (commands + 10 * max(batch_sizes)) * len(batch_sizes))
    rates = []
    for size in batch_sizes:
        number = max(1, min(commands, size * 400) // size)
        trips = await _count_round_trips(url, log, kind, size)
        rates.append(await _time(url, log, (kind, size, number), trips))
    return rates


async def open_shop(url: str, log: Log, kind: str, commands: int) -> None:
    """Make what commands name: users with money, products, the coupon, orders to pay."""
    await upgrade_async(driver_url(url))
    database = create_database(driver_url(url), connections_max=1)
    async with database.begin() as connection:
        await insert_log_epoch(connection, LogEpoch(EPOCH, "benchmark", START_MS))
        places = [(t.name, p) for t in TOPICS.commands for p in range(t.partitions)]
        await insert_marks(connection, [Mark(name, p, EPOCH, 0, 0) for name, p in places])
    shop: list[wire.Shape] = [wire.DefineCoupon("HOT", 10**9, 500)]
    shop += [wire.DefineProduct(n + 1, f"Product {n}", 100, 10**9) for n in range(PRODUCTS)]
    shop += [wire.ChargeBalance(n + 1, 5_000_000) for n in range(USERS)]
    await apply_records(database, log, map(log.record, shop), 1_000)
    earlier = {"pay": ("create",), "cancel": ("create", "pay")}.get(kind, ())
    for work in earlier:
        await apply_records(database, log, islice(log.records(work), commands), 1_000)
    await database.dispose()


async def apply_records(database: Database, log: Log, records: Iterable[Record], size: int) -> int:
    applier = BatchApplier(database, CommandReader(TOPICS), _RULES, published=log.published)
    waiting: dict[str, list[Record]] = {}
    for record in records:
        waiting.setdefault(record.place.topic, []).append(record)
    applied = 0
    for listed in waiting.values():
        for first in range(0, len(listed), size):
            rows = await applier.apply(listed[first : first + size])
            # As a publisher does: what is not known as published would be loaded again.
            applier.published.arrive(ends_of(rows))
            applied += sum(row.disposition == "APPLIED" for row in rows)
    return applied


async def _time(
    url: str, log: Log, work: tuple[str, int, int], round_trips: float
) -> BatchBodyRate:
    kind, size, number = work
    database = create_database(driver_url(url), connections_max=1)
    try:
        # The first batches compile, prepare and warm up.
        await apply_records(database, log, islice(log.records(kind), size * 5), size)
        pids = await _server_pids(url)
        records = list(islice(log.records(kind), size * number))
        began, cpu, server = time.perf_counter(), time.process_time(), _cpu_ns(pids)
        applied = await apply_records(database, log, records, size)
        worker_us = (time.process_time() - cpu) * 1e6 / applied
        database_us = (_cpu_ns(pids) - server) / 1e3 / applied
        if applied != len(records):
            message = f"{kind}: {applied} of {len(records)} commands were applied"
            raise SystemExit(message)
        per_second = applied / (time.perf_counter() - began)
    finally:
        await database.dispose()
    return BatchBodyRate(kind, size, applied, per_second, worker_us, database_us, round_trips)


async def _count_round_trips(url: str, log: Log, kind: str, size: int) -> float:
    """Count for one batch, after others that open the connection and prepare."""
    records = log.records(kind)
    async with counted(url) as (through, trips):
        database = create_database(driver_url(through), connections_max=1)
        await apply_records(database, log, islice(records, size * 3), size)
        before = trips()
        await apply_records(database, log, islice(records, size), size)
        told = trips() - before
        await database.dispose()
    return told


async def _server_pids(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    rows = await connection.fetch(f"SELECT pid FROM pg_stat_activity WHERE {others}")
    await connection.close()
    return [row["pid"] for row in rows]


def _cpu_ns(pids: Iterable[int]) -> int:
    """CPU time of the server's processes; 0 where they are not on this machine."""
    with suppress(OSError):
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)
    return 0


_RULES = Rulebook(TOPICS, EPOCH, 10**12, 900_000)


def to_markdown(rates: Sequence[BatchBodyRate]) -> str:
    """The lines of a report."""
    head = "| work | batch | done/s | worker µs | database µs | round trips |"
    lines = [
        f"| {r.kind} | {r.batch_size} | {r.commands_per_second:,.0f} | {r.worker_us:.1f}"
        f" | {r.database_us:.1f} | {r.round_trips:.0f} |"
        for r in rates
    ]
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|", *lines])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits.batch_body")
    parser.add_argument("--kind", choices=SAMPLE_KINDS, action="append")
    parser.add_argument("--batch-size", type=int, action="append")
    parser.add_argument("--commands", type=int, default=20_000, help="of each kind and size")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    url = os.environ.get("FAIRLINE_DATABASE_URL", "")
    if not url.startswith("postgresql://"):
        parser.error("FAIRLINE_DATABASE_URL must name a PostgreSQL server")
    sizes = options.batch_size or [1, 32, 500]
    rates = [
        rate
        for kind in options.kind or SAMPLE_KINDS
        for rate in asyncio.run(batch_body_rates(url, kind, sizes, commands=options.commands))
    ]
    print(json.dumps(msgspec.to_builtins(rates)) if options.json else to_markdown(rates))


if __name__ == "__main__":
    main()
