"""A small discrete-event model: partitions, workers that serve them in batches, one database.

No clock and no machine: time is a number, chance is seeded, so a run can be told again. What is
left out is said in docs/scaling.md.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a command takes, in seconds; `_batch` for each batch, `_command` for each in it."""

    worker_batch: float
    worker_command: float
    database_batch: float
    database_command: float
    commit: float
    """How long the database's log is busy with one commit: its reciprocal is the commit limit."""
    edge: float = 0.0
    """CPU of edge and broker for one command; only a shared machine makes others wait for it."""
    elsewhere: float = 0.0
    """What passes without work between request and answer: networks, lingering, wake-ups."""


@dataclass(frozen=True, slots=True)
class Plant:
    """How many of each there are. `shared_cores` puts everything on one machine."""

    workers: int
    partitions: int = 64
    database_cores: int = 16
    batch_max: int = 500
    shared_cores: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Either so many commands a second by chance (open), or clients that wait (closed).

    `hot_share` of the commands are for partition 0, besides its part of the others.
    """

    per_second: float = 0.0
    clients: int = 0
    hot_share: float = 0.0


@dataclass(slots=True)
class Seen:
    """What was seen in a run after its first part, which only fills it; times in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    hot: int = 0
    batches: int = 0
    area: float = 0.0
    """Commands under way, summed over time."""

    @property
    def per_second(self) -> float:
        """Throughput."""
        return len(self.latencies) / self.seconds

    @property
    def hot_per_second(self) -> float:
        """Throughput of the hot partition."""
        return self.hot / self.seconds

    @property
    def per_batch(self) -> float:
        """How many commands a batch had."""
        return len(self.latencies) / max(self.batches, 1)

    @property
    def under_way(self) -> float:
        """How many commands were in the system on average."""
        return self.area / self.seconds

    @property
    def mean(self) -> float:
        """Mean latency."""
        return sum(self.latencies) / max(len(self.latencies), 1)

    def quantile(self, share: float) -> float:
        """Latency that this share of the commands did not exceed; NaN where there were none."""
        if not self.latencies:
            return float("nan")
        listed = sorted(self.latencies)
        return listed[min(int(share * len(listed)), len(listed) - 1)]


class Clock:
    """What happens when, in order; ties in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self._asked = 0
        self._waiting: list[tuple[float, int, Then]] = []

    def after(self, seconds: float, then: Then) -> None:
        """Let something happen so much later."""
        self._asked += 1
        heapq.heappush(self._waiting, (self.now + seconds, self._asked, then))

    def run_until(self, end: float) -> None:
        """Let everything happen up to this time."""
        while self._waiting and self._waiting[0][0] <= end:
            self.now, _, then = heapq.heappop(self._waiting)
            then()
        self.now = end


class Station:
    """So many servers with one queue, first come first served."""

    def __init__(self, clock: Clock, servers: int) -> None:
        self._clock = clock
        self._free = servers
        self._queue: deque[tuple[float, Then]] = deque()

    def serve(self, seconds: float, then: Then) -> None:
        """Serve for so long as soon as a server is free, and go on with what follows."""
        if self._free:
            self._free -= 1
            self._clock.after(seconds, lambda: self._served(then))
        else:
            self._queue.append((seconds, then))

    def _served(self, then: Then) -> None:
        if self._queue:
            seconds, following = self._queue.popleft()
            self._clock.after(seconds, lambda: self._served(following))
        else:
            self._free += 1
        then()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: when its sender began to wait, and whether its key is the hot one."""

    since: float
    is_hot: bool


class Worker:
    """Takes what waits, applies it in one transaction, and looks again."""

    def __init__(self, run: "Run", cpu: Station) -> None:
        self._run = run
        self._cpu = cpu
        self._waiting: deque[Command] = deque()
        self._busy = False

    def take(self, command: Command) -> None:
        """Queue a command of one of this worker's partitions."""
        self._waiting.append(command)
        if not self._busy:
            self._begin()

    def _begin(self) -> None:
        self._busy = True
        number = min(len(self._waiting), self._run.plant.batch_max)
        batch = [self._waiting.popleft() for _ in range(number)]
        costs = self._run.costs
        cpu = costs.worker_batch + costs.worker_command * number
        self._cpu.serve(cpu, lambda: self._run.transact(batch, self._end))

    def _end(self) -> None:
        self._busy = False
        if self._waiting:
            self._begin()


class Run:
    """One run of a plant under a load."""

    def __init__(self, plant: Plant, costs: Costs, load: Load, seed: int = 1) -> None:
        self.plant, self.costs, self.load = plant, costs, load
        self._chance = Random(seed)
        self._clock = Clock()
        shared = Station(self._clock, plant.shared_cores) if plant.shared_cores else None
        self._edge = shared
        self._database = shared or Station(self._clock, plant.database_cores)
        self._log = Station(self._clock, 1)
        self._workers = [
            Worker(self, shared or Station(self._clock, 1)) for _ in range(plant.workers)
        ]
        self._seen = Seen()
        self._under_way = 0
        self._changed = 0.0

    def go(self, seconds: float, first: float) -> Seen:
        """Run so long, and tell what was seen after the `first` part of it."""
        for _ in range(self.load.clients):
            self._send()
        if self.load.per_second:
            self._clock.after(self._pause(), self._arrive)
        self._clock.run_until(first)
        self._count(0)
        self._seen = Seen(seconds - first)
        self._clock.run_until(seconds)
        self._count(0)
        return self._seen

    def _pause(self) -> float:
        return self._chance.expovariate(self.load.per_second)

    def _arrive(self) -> None:
        self._clock.after(self._pause(), self._arrive)
        self._send()

    def _send(self) -> None:
        self._count(1)
        is_hot = self._chance.random() < self.load.hot_share
        partition = 0 if is_hot else self._chance.randrange(self.plant.partitions)
        command = Command(self._clock.now, partition == 0)
        worker = self._workers[partition % len(self._workers)]
        costs = self.costs
        if self._edge is None:
            self._clock.after(costs.edge + costs.elsewhere, lambda: worker.take(command))
        else:
            there: Then = lambda: self._clock.after(costs.elsewhere, lambda: worker.take(command))  # noqa: E731
            self._edge.serve(costs.edge, there)

    def transact(self, batch: list[Command], then: Then) -> None:
        """Apply a batch in the database and commit it; its senders are told after that."""

        def committed() -> None:
            self._tell(batch)
            then()

        seconds = self.costs.database_batch + self.costs.database_command * len(batch)
        commit = self.costs.commit
        self._database.serve(seconds, lambda: self._log.serve(commit, committed))

    def _tell(self, batch: list[Command]) -> None:
        self._seen.batches += 1
        for command in batch:
            self._count(-1)
            self._seen.latencies.append(self._clock.now - command.since)
            self._seen.hot += command.is_hot
            if self.load.clients:
                self._send()

    def _count(self, change: int) -> None:
        now = self._clock.now
        self._seen.area += self._under_way * (now - self._changed)
        self._changed = now
        self._under_way += change


def simulate(
    plant: Plant, costs: Costs, load: Load, *, seconds: float = 3.0, first: float = 1.0
) -> Seen:
    """Run a plant under a load, and tell what was seen after the first part."""
    return Run(plant, costs, load).go(seconds, first)
