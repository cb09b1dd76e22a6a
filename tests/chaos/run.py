"""One run: a cluster, clients, a nemesis; then all is healed, drained, and written down."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos import workload
from tests.chaos.cluster import Cluster, Servers, Shape, now_ms
from tests.chaos.direct import DirectProducers
from tests.chaos.evidence import (
    dump_database,
    dump_topics,
    take_snapshots,
    wait_until_drained,
)
from tests.chaos.history import History
from tests.chaos.memory import Memory
from tests.chaos.nemesis import Nemesis
from tests.chaos.schedule import schedule
from tests.chaos.shoppers import Shoppers
from tests.chaos.waiting import comes_true
from tests.chaos.watch import Watch
from tests.chaos.workload import Planned, Shares, Workload

IN_FLIGHT_MAX = 5_000
ASKED_SHARE = 50
"""One of so many known commands is asked for again while the run goes on."""
ASKED_AT_THE_END = 600
BURST = 300
TICK_SECONDS = 0.002
RANKING_TRIES = 30
SETUP_SECONDS_MAX = 90.0


@dataclass(frozen=True)
class Options:
    """What somebody asked for."""

    seed: int
    seconds: float
    per_second: float
    faults: Mapping[str, int]
    folder: Path
    shape: Shape = field(default_factory=Shape)
    shares: Shares = field(default_factory=Shares)
    loosened: Sequence[str] = ()
    """What is taken off the database before the run."""
    drain_seconds_max: float = 120.0
    command: str = ""


class Run:
    """Everything that is alive during a run."""

    def __init__(self, options: Options, cluster: Cluster) -> None:
        self.options = options
        self.cluster = cluster
        self.history = History(options.folder / "history.jsonl")
        self.memory = Memory()
        self.workload = Workload(options.seed, options.shares)
        self.watch = Watch(cluster)
        clients = [f"kafka-{n + 1}" for n in range(workload.CLIENTS["kafka"])]
        self.direct = DirectProducers(cluster, [*clients, workload.SETUP])
        urls = [member.url for member in cluster.named("edge")]
        self.shoppers = Shoppers(urls, self.memory, self.history)
        self.nemesis = Nemesis(cluster, self.watch, options.seed, self._burst)
        self.offered = 0
        self.lag_seconds = 0.0
        """How late the harness itself was at worst: its proxies were as late."""
        self.skipped = 0
        self.started_at_ms = self.ended_at_ms = 0
        self.started_at = 0.0
        self._sending: set[asyncio.Task[Any]] = set()
        self._attempts = self.workload.attempts()

    @property
    def in_flight(self) -> int:
        """How many attempts have no answer yet."""
        return len(self._sending)

    async def set_up(self) -> None:
        """Define products and coupons, and wait until each outcome is told.

        Not until each is behind a mark: a defect may leave marks where they were.
        """
        setup = self.workload.setup()
        for planned in setup:
            assert await self.direct.send(planned, self.memory, self.history) == "acknowledged"
        told = await comes_true(lambda: self.watch.outcomes >= len(setup), SETUP_SECONDS_MAX)
        assert told, f"{self.watch.outcomes} outcomes of {len(setup)} commands"

    async def offer(self, harm: asyncio.Task[None]) -> None:
        """Send attempts at a fixed rate, whatever becomes of the earlier ones.

        It goes on until the time is over, and the nemesis has done all that it wanted.
        """
        self.started_at_ms, self.started_at = now_ms(), time.monotonic()
        while (
            elapsed := time.monotonic() - self.started_at
        ) < self.options.seconds or not harm.done():
            while self.offered < elapsed * self.options.per_second:
                self.offered += 1
                self._start(next(self._attempts))
            slept_at = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self.lag_seconds = max(self.lag_seconds, time.monotonic() - slept_at - TICK_SECONDS)
        self.ended_at_ms = now_ms()

    def _start(self, planned: Planned) -> None:
        if len(self._sending) >= IN_FLIGHT_MAX:
            self.skipped += 1
            return
        self._keep(self._send(planned))
        if self.offered % ASKED_SHARE == 0 and (known := self.memory.latest_command_id()):
            self._keep(self.shoppers.ask(known))

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, planned: Planned) -> str:
        if planned.crosses and self.memory.command_id(planned) is None:
            # Another service can only send it again once somebody has told its id.
            planned = replace(planned, channel="http", client="http-1")
        if planned.channel == "http":
            return await self.shoppers.send(planned)
        return await self.direct.send(planned, self.memory, self.history)

    async def _burst(self) -> None:
        """Poison alone, as fast as it goes."""
        drawn = [self.workload.poison() for _ in range(BURST)]
        sending = [self.direct.send(each, self.memory, self.history) for each in drawn]
        await asyncio.gather(*sending)

    async def settle(self) -> list[str]:
        """Heal everything, send again what is open, and wait until nothing moves any more."""
        self.nemesis.heal()
        await self.cluster.ready()
        while self._sending:
            await asyncio.wait(self._sending)
        await self.direct.close()
        await self.shoppers.send_open_ones()
        return await wait_until_drained(
            self.cluster.database_url, self.watch, self.options.drain_seconds_max
        )

    async def ask_again(self) -> None:
        """Ask for everything that was late, and for a sample of the rest."""
        wanted = [*self.shoppers.late, *self.memory.sample_of_command_ids(ASKED_AT_THE_END)]
        for start in range(0, len(wanted), 50):
            chunk = wanted[start : start + 50]
            await asyncio.gather(*(self.shoppers.ask(each, "asker-2") for each in chunk))

    def note(self, stuck: list[str]) -> dict[str, Any]:
        """Make the content of run.json."""
        return {
            "seed": self.options.seed,
            "command": self.options.command,
            "startedAtMs": self.started_at_ms,
            "endedAtMs": self.ended_at_ms,
            "offeredPerSecond": self.options.per_second,
            "offered": self.offered,
            "skipped": self.skipped,
            "lagSeconds": round(self.lag_seconds, 3),
            "topicPrefix": self.cluster.topic_prefix,
            "setup": {"products": workload.PRODUCTS, "coupons": workload.COUPONS},
            "limits": {"balanceMax": self.cluster.settings.balance_max},
            "sessionTimeoutSeconds": self.cluster.settings.session_timeout_seconds,
            "faults": [fault.shown() for fault in self.nemesis.faults],
            "exits": [left.shown() for left in self.cluster.exits],
            "stuck": stuck,
        }


@asynccontextmanager
async def alive(options: Options, servers: Servers) -> AsyncIterator[Run]:
    """A cluster that is up, with clients that are connected; all of it ended afterwards."""
    options.folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(options.folder, servers, options.shape)
    run = None
    serving: list[asyncio.Task[None]] = []
    try:
        await cluster.start(options.loosened)
        run = Run(options, cluster)
        serving = [
            asyncio.create_task(run.direct.serve()),
            asyncio.create_task(run.watch.serve()),
            asyncio.create_task(run.shoppers.look_for_ready_edges()),
        ]
        await run.set_up()
        yield run
    finally:
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        if run is not None:
            await run.shoppers.close()
            run.watch.close()
            run.history.close()
        await cluster.stop()


async def carry_out(run: Run) -> list[str]:
    """Offer the workload under faults, settle, and write the evidence; return what is stuck."""
    options, cluster = run.options, run.cluster
    url = cluster.database_url
    snapshots = asyncio.create_task(take_snapshots(url, options.folder / "snapshots.jsonl"))
    dues = schedule(options.seed, options.seconds, options.faults)
    harm = asyncio.create_task(run.nemesis.run(dues, time.monotonic()))
    await run.offer(harm)
    await harm
    stuck = await run.settle()
    snapshots.cancel()
    await run.ask_again()
    ranking = await _ranking(run)
    run.history.flush()
    (options.folder / "run.json").write_text(json.dumps(run.note(stuck), indent=1))
    (options.folder / "ranking.json").write_text(json.dumps(ranking, indent=1))
    await dump_database(url, options.folder / "database")
    await asyncio.to_thread(dump_topics, cluster, options.folder / "topics")
    return stuck


async def _ranking(run: Run) -> dict[str, Any]:
    """Read the best sellers once they rest, and let Fairline compare them itself."""
    check = await run.cluster.run_to_end(run.cluster.settings, "ranking", "check")
    shown, before = None, None
    for _ in range(RANKING_TRIES):
        shown = await run.shoppers.get("/api/v1/products/top?limit=100")
        if before is not None and shown["products"] == before["products"]:
            break
        before = shown
        await asyncio.sleep(2)
    assert shown is not None
    return {
        "asOf": shown["asOf"],
        "window": shown["window"],
        "top": shown["products"],
        "check": {"exitCode": check[0], "output": check[1]},
    }
