"""Does harm, one fault after the other, and notes when each began, ended and was got over."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.clock import set_skew
from tests.chaos.cluster import SESSION_TIMEOUT_SECONDS, Cluster, Member, now_ms
from tests.chaos.proxies import BEGIN, COMMIT
from tests.chaos.schedule import Due
from tests.chaos.waiting import comes_true
from tests.chaos.watch import Watch

CATCH_SECONDS_MAX = 10.0
LEAVE_SECONDS_MAX = 60.0
BACK_SECONDS_MAX = 90.0
STOPPED_SECONDS = SESSION_TIMEOUT_SECONDS + 3.0
REST_SHARE = 0.25
"""After each fault comes peace, for so much of the time that it took until it was got over. So a
fifth of a run is undisturbed, however slow the machine is: twice what the checker asks for."""


@dataclass
class Fault:
    """One fault as it was; times in epoch ms."""

    kind: str
    target: str
    begin_ms: int = field(default_factory=now_ms)
    end_ms: int = 0
    recovered_ms: int | None = None
    note: str = ""

    def end(self) -> None:
        """It is over; what follows is recovery."""
        self.end_ms = now_ms()

    def shown(self) -> dict[str, Any]:
        """Show it as the evidence has it."""
        return {
            "kind": self.kind,
            "target": self.target,
            "beginMs": self.begin_ms,
            "endMs": self.end_ms,
            "recoveredMs": self.recovered_ms,
            "note": self.note,
        }


def rest_seconds(fault: Fault, at_ms: int) -> float:
    """Tell for how long nothing happens after a fault that was got over, or given up, just now."""
    return REST_SHARE * (at_ms - fault.begin_ms) / 1000


async def happens(event: asyncio.Event) -> bool:
    """Wait for what a proxy was asked for; False where no statement came by."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CATCH_SECONDS_MAX):
            return await event.wait()
    return False


class Nemesis:
    """Carries a schedule out on a cluster."""

    def __init__(
        self, cluster: Cluster, watch: Watch, seed: int, burst: Callable[[], Awaitable[None]]
    ) -> None:
        self._cluster = cluster
        self._watch = watch
        self._random = Random(seed)
        self._burst = burst
        self.faults: list[Fault] = []
        self.now = ""
        """What is going on, for people."""

    async def run(self, dues: list[Due], started_at: float) -> None:
        """Carry out one fault after the other; each waits until the one before is got over."""
        for due in dues:
            await asyncio.sleep(max(0.0, started_at + due.at_seconds - time.monotonic()))
            await self._do(due.kind)
            await asyncio.sleep(rest_seconds(self.faults[-1], now_ms()))
        self.now = ""

    async def _do(self, kind: str) -> None:
        self.now = kind
        fault = await getattr(self, f"_{kind}")()
        fault.end_ms = fault.end_ms or now_ms()
        self.now = f"{kind} {fault.target}: recovering"
        fault.recovered_ms = await self._recovered(fault)
        self.faults.append(fault)

    async def _recovered(self, fault: Fault) -> int | None:
        """Wait until each user partition gives new records their outcomes; and for the victim."""
        moved_ms = await self._watch.moved_past_now()
        if moved_ms is None or fault.kind not in ("edge_kill", "ranking_kill"):
            return moved_ms
        member = self._cluster.members[fault.target]
        return now_ms() if await comes_true(member.is_ready, BACK_SECONDS_MAX) else None

    def _one(self, kind: str) -> Member:
        running = [member for member in self._cluster.named(kind) if member.is_running]
        return self._random.choice(running or self._cluster.named(kind))

    async def _worker_kill(self) -> Fault:
        """Kill a worker: at any moment, or on one side of a COMMIT, before anything is told."""
        member = self._one("worker")
        moment = self._random.choice(("any moment", "before its COMMIT", "after its COMMIT"))
        if moment == "before its COMMIT":
            await happens(member.database.hold_next(COMMIT))
        elif moment == "after its COMMIT":
            await happens(member.database.cut_after_next_commit())
        fault = self._signal(member, signal.SIGKILL, "worker_kill")
        member.database.release()
        fault.note = moment
        return fault

    async def _edge_kill(self) -> Fault:
        return self._signal(self._one("edge"), signal.SIGKILL, "edge_kill")

    async def _ranking_kill(self) -> Fault:
        return self._signal(self._one("ranking"), signal.SIGKILL, "ranking_kill")

    def _signal(self, member: Member, number: signal.Signals, kind: str) -> Fault:
        fault = Fault(kind, member.name)
        member.signal(number)
        fault.end()
        return fault

    async def _worker_term(self) -> Fault:
        return await self._rolling("worker", "worker_term")

    async def _edge_term(self) -> Fault:
        return await self._rolling("edge", "edge_term")

    async def _rolling(self, kind: str, fault_kind: str) -> Fault:
        """Ask all of a kind to leave, one after the other, each once the one before is back."""
        fault = Fault(fault_kind, f"all {kind}s")
        for member in self._cluster.named(kind):
            # One that was killed just now has no ears yet: the signal alone would end it.
            await comes_true(member.is_ready, BACK_SECONDS_MAX)
            member.signal(signal.SIGTERM)
            await comes_true(member.has_left, LEAVE_SECONDS_MAX)
            await comes_true(member.is_ready, BACK_SECONDS_MAX)
        fault.end()
        return fault

    async def _worker_stop(self) -> Fault:
        """Freeze a worker in mid-transaction, past its session timeout, and let it go on."""
        member = self._one("worker")
        statement = self._random.choice((BEGIN, COMMIT))
        fault = Fault("worker_stop", member.name)
        caught = member.database.hold_next(statement)
        if await happens(caught):
            fault.note = "before its BEGIN" if statement is BEGIN else "before its COMMIT"
        else:
            fault.note = "between transactions"
        member.signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        member.database.release()
        member.signal(signal.SIGCONT)
        fault.end()
        return fault

    async def _broker_kill(self) -> Fault:
        return await self._kill_server("kafka", "broker_kill")

    async def _database_kill(self) -> Fault:
        return await self._kill_server("postgres", "database_kill")

    async def _kill_server(self, name: str, kind: str) -> Fault:
        fault = Fault(kind, name)
        server = self._cluster.servers.named[name]
        server.kill()
        seconds = self._random.uniform(2, 6)
        fault.note = f"down for {seconds:.1f} s and its start"
        await asyncio.sleep(seconds)
        await server.start()
        fault.end()
        return fault

    async def _commit_cut(self) -> Fault:
        """Cut a worker's connection when the server has committed and the worker cannot know."""
        member = self._one("worker")
        fault = Fault("commit_cut", member.name)
        cut = member.database.cut_after_next_commit()
        if await happens(cut):
            fault.note = "after COMMIT, before its answer"
        fault.end()
        return fault

    async def _redis_outage(self) -> Fault:
        fault = Fault("redis_outage", "valkey")
        self._cluster.servers.named["valkey"].kill()
        await asyncio.sleep(self._random.uniform(5, 10))
        await self._cluster.servers.named["valkey"].start()
        fault.end()
        return fault

    async def _slow_database(self) -> Fault:
        delay_seconds = self._random.choice((0.05, 0.05, 2.0))
        fault = Fault("slow_database", "postgres", note=f"{delay_seconds * 1000:.0f} ms more")
        for member in self._cluster.members.values():
            member.database.delay_seconds = delay_seconds
        await asyncio.sleep(8 if delay_seconds < 1 else 5)
        for member in self._cluster.members.values():
            member.database.delay_seconds = 0.0
        fault.end()
        return fault

    async def _clock_skew(self) -> Fault:
        """Set one process' clock some minutes ahead or back, and then right again."""
        member = self._random.choice(self._cluster.clocks())
        seconds = self._random.choice((-1, 1)) * self._random.uniform(60, 600)
        fault = Fault("clock_skew", member.name, note=f"{seconds:+.0f} s")
        set_skew(member.clock, seconds)
        await asyncio.sleep(self._random.uniform(4, 8))
        set_skew(member.clock, 0)
        fault.end()
        return fault

    async def _poison_burst(self) -> Fault:
        fault = Fault("poison_burst", "user-commands")
        await self._burst()
        fault.end()
        return fault

    def heal(self) -> None:
        """See to it that nothing of a fault is left."""
        for member in self._cluster.members.values():
            member.database.delay_seconds = 0.0
            member.database.release()
            set_skew(member.clock, 0)
            member.signal(signal.SIGCONT)
