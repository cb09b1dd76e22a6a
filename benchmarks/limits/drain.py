"""How fast waiting commands are drained: by one worker, by two, and by Faust with an empty body.

The workers stand ready and warm before the commands are there; all of these become visible at one
moment. Faust reads the same records, as another group, in the same run.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import msgspec

from benchmarks.cpu import cpu_seconds
from benchmarks.limits.empty_faust import Emptied
from benchmarks.limits.installation import Installation, Process, installed, until_ready
from benchmarks.limits.metrics import metrics_of, partitions_in
from benchmarks.limits.options import Options
from benchmarks.limits.waiting import (
    charges,
    issues_of_many,
    issues_of_one,
    records_in,
    shop,
    until_applied,
    waiting,
)
from benchmarks.services import Services
from benchmarks.sides import wait_until
from streams import wire
from streams.topics import Topic

WARM_COMMANDS = 5_000
EMPTY_SECONDS_MAX = 320.0
FAUST = "Faust, empty body"

CHARGED = """
SELECT count(*), coalesce(sum(amount), 0) = (SELECT coalesce(sum(balance), 0) FROM wallets)
FROM balance_entries
"""
ISSUED = """
SELECT coalesce(sum(copies), 0), coalesce(bool_and(agrees), true) FROM (
    SELECT count(*) AS copies, count(*) = max(c.issued) AND max(u.number) = count(*)
        AND count(DISTINCT u.number) = count(*) AND count(DISTINCT u.user_id) = count(*) AS agrees
    FROM user_coupons u JOIN coupons c USING (coupon_id) GROUP BY coupon_id
) AS by_coupon
"""


@dataclass(frozen=True)
class Work:
    """What waits: commands of one kind."""

    name: str
    topic: str
    payloads: Callable[[int, int], Iterable[wire.Shape]]
    """Of so many, from such a user on."""
    count: str
    """A query: how many are applied, and whether the figures agree."""
    workers: tuple[int, ...] = (1, 2)


WORKS = (
    Work("charges", "user_commands", lambda number, _: charges(number), CHARGED),
    Work("issues of many coupons", "coupon_commands", issues_of_many, ISSUED),
    # One coupon is one partition, and so one worker's.
    Work("issues of one coupon", "coupon_commands", issues_of_one, ISSUED, (1,)),
)


class Drained(msgspec.Struct):
    """One drain of commands that waited."""

    work: str
    by: str
    commands: int
    seconds: float
    cpu_us: dict[str, float]
    """CPU microseconds of each part for each command."""
    fault: str = ""

    @property
    def per_second(self) -> float:
        """Commands drained in a second."""
        return self.commands / self.seconds


async def measure(services: Services, folder: Path, options: Options) -> list[Drained]:
    """Drain each kind of work in an installation of its own."""
    found = []
    for work in WORKS:
        async with installed(services, folder) as installation:
            with installation.started("worker") as worker:
                await until_ready(worker)
                found += await Bench(installation, work, worker).run(options)
    return found


class Bench:
    """Drains one kind of work, again and again."""

    def __init__(self, installation: Installation, work: Work, worker: Process) -> None:
        self._installation = installation
        self._work = work
        self._worker = worker
        self._topic: Topic = getattr(installation.topics, work.topic)
        self._made = 0

    async def run(self, options: Options) -> list[Drained]:
        """Warm up, then let one worker, two of them and Faust take turns."""
        await self._open()
        await self._drain(WARM_COMMANDS, self._worker)
        found = []
        for _ in range(options.rounds):
            async for drained in self._take_turns(options):
                tell(drained)
                found.append(drained)
        return found

    async def _open(self) -> None:
        """Define what issues name."""
        url, topics = self._installation.kafka_url, self._installation.topics
        async with waiting(url, topics.coupon_commands, shop()) as defined:
            pass
        await until_applied(self._installation.database_url, defined, self._worker)

    async def _take_turns(self, options: Options) -> AsyncIterator[Drained]:
        for number in self._work.workers:
            with ExitStack() as started:
                start = self._installation.started
                others = [started.enter_context(start("worker")) for _ in range(number - 1)]
                await until_shared(self._topic, self._worker, *others)
                yield await self._drain(options.commands, self._worker, *others)
        yield await self._empty(options.commands)

    async def _drain(self, commands: int, *workers: Process) -> Drained:
        installation, work = self._installation, self._work
        pids = {str(n): worker.child.pid for n, worker in enumerate(workers)}
        pids |= installation.services.pids
        payloads = work.payloads(commands, 1 + self._made)
        self._made += commands
        before = await self._count()
        results = await self._results()
        async with waiting(installation.kafka_url, self._topic, payloads) as expected:
            used, began = cpu_seconds(pids), time.monotonic()
        seconds = await until_applied(installation.database_url, expected, *workers) - began
        await self._until_published(results + commands)
        spent = {part: used_now - used[part] for part, used_now in cpu_seconds(pids).items()}
        after = await self._count()
        return Drained(
            work=work.name,
            by=name_of(len(workers)),
            commands=commands,
            seconds=seconds,
            cpu_us=by_part(spent, commands),
            fault=fault_of(after[0] - before[0], commands, agrees=after[1]),
        )

    async def _count(self) -> tuple[int, bool]:
        connection = await asyncpg.connect(self._installation.database_url)
        try:
            row = await connection.fetchrow(self._work.count)
        finally:
            await connection.close()
        return int(row[0]), bool(row[1])

    async def _results(self) -> int:
        topic = self._installation.topics.command_results
        return (await records_in(self._installation.kafka_url, [topic]))[topic.name]

    async def _until_published(self, number: int) -> None:
        async def is_published() -> bool:
            return await self._results() >= number

        await wait_until(is_published, "the results of all commands")

    async def _empty(self, records: int) -> Drained:
        used = cpu_seconds(self._installation.services.pids)
        emptied = await run_empty(self._installation.kafka_url, self._topic.name, records)
        spent = cpu_seconds(self._installation.services.pids)
        parts = {part: spent[part] - used[part] for part in used}
        cpu_us = by_part({"0": emptied.cpu_seconds} | parts, emptied.records)
        return Drained(self._work.name, FAUST, emptied.records, emptied.seconds, cpu_us)


async def run_empty(kafka_url: str, topic: str, records: int) -> Emptied:
    """Let Faust with an empty body read a topic, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.limits.empty_faust", kafka_url, topic]
    process = await asyncio.create_subprocess_exec(
        *command, str(records), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        message = f"Faust with an empty body left with {process.returncode}"
        raise RuntimeError(message)
    return msgspec.json.decode(output.splitlines()[-1], type=Emptied)


async def until_shared(topic: Topic, *workers: Process) -> None:
    """Wait until each worker has partitions of a topic, and together they have all."""

    async def is_shared() -> bool:
        counts = [partitions_in(await metrics_of(worker.url), topic.name) for worker in workers]
        return min(counts) > 0 and sum(counts) == topic.partitions

    await until_ready(*workers)
    await wait_until(is_shared, "workers that share their partitions")


def name_of(workers: int) -> str:
    """As the table calls it."""
    return "1 worker" if workers == 1 else f"{workers} workers"


def by_part(spent: Mapping[str, float], commands: int) -> dict[str, float]:
    """Return CPU microseconds for each command; numbered parts are workers, which are summed."""
    workers = sum(seconds for part, seconds in spent.items() if part.isdigit())
    parts = {part: seconds for part, seconds in spent.items() if not part.isdigit()}
    return {part: n * 1e6 / commands for part, n in ({"worker": workers} | parts).items()}


def fault_of(applied: int, commands: int, *, agrees: bool) -> str:
    """What makes a drain worthless; nothing for one that adds up."""
    if applied != commands:
        return f"{commands} commands, but {applied} in the database"
    return "" if agrees else "the sums of the database do not agree"


def tell(done: Drained) -> None:
    """One line while it runs."""
    parts = ", ".join(f"{part} {us:.0f} µs" for part, us in done.cpu_us.items())
    line = f"{done.work}, {done.by}: {done.per_second:,.0f}/s ({parts})"
    print(line, *filter(None, [done.fault]), sep="; ", flush=True)


def figures(drains: Sequence[Drained]) -> dict[str, float]:
    """The goal table's figures; of several the worst, of several rounds the middle."""

    def middle(work: str, by: str, of: Callable[[Drained], float]) -> float:
        return median(of(d) for d in drains if (d.work, d.by) == (work, by))

    works = list(dict.fromkeys(d.work for d in drains))
    rates = {work: middle(work, "1 worker", lambda d: d.per_second) for work in works}
    shared = [d.work for d in drains if d.by == "2 workers"]
    costs = {
        work: middle(work, "2 workers", _worker_us) / middle(work, "1 worker", _worker_us)
        for work in shared
    }
    found = {
        "drain_charges_per_second": rates.get("charges"),
        "drain_issues_per_second": min(
            (rate for work, rate in rates.items() if work != "charges"), default=None
        ),
        "drain_vs_faust": min(
            (rates[work] / middle(work, FAUST, lambda d: d.per_second) for work in works),
            default=None,
        ),
        "drain_vs_faust_cpu": min(
            (middle(w, FAUST, _worker_us) / middle(w, "1 worker", _worker_us) for w in works),
            default=None,
        ),
        "two_workers_cpu_ratio": max(costs.values(), default=None),
    }
    return {name: value for name, value in found.items() if value is not None}


def _worker_us(drained: Drained) -> float:
    return drained.cpu_us["worker"]
