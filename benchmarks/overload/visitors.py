"""The crowd: one request for each visitor, who comes back when told to.

`python -m benchmarks.overload.visitors` reads a plan from standard input and prints what the
visitors saw, both as JSON. Keep-alive connections on bare sockets, as many as are needed at once.
"""

import asyncio
import math
import random
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from app.open_files import allow_open_files
from benchmarks.load import Answers
from benchmarks.open_loop.percentiles import percentile
from benchmarks.open_loop.schedule import due_times
from benchmarks.overload import cores

FIRST_USER = 1_000_000_000
"""Every visitor is a user of his own, whom no other load knows."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_AGAIN = ("429", "503")
# A client's timer and the way back, by chance: nobody comes on the dot.
_LATE_SECONDS_MAX = 0.1
_POOL_SECONDS = 3.5
_LOOK_SECONDS = 0.002


class Plan(msgspec.Struct):
    """How many come, for how long, and how long the last ones are waited for."""

    url: str
    rate: float
    """How many come each second; 0: whoever was answered comes again at once, as another one."""
    seconds: float
    seed: int
    patience_seconds: float = 480.0
    """After the last stranger came; longer than anybody is told."""
    connections: int = 8_000
    """A balancer's pool: opened before anybody comes, for 3.5 s of them, and at most so many."""
    core: int | None = None
    """The generator's own; None: any."""


class Seen(Answers, kw_only=True):
    """What the visitors saw. Latencies are of what was accepted, each from when it was sent."""

    due: int
    refused: int
    """Visitors who were refused at least once."""
    untold: int
    """Refusals that did not say when to come back."""
    returned: int
    """Of the refused, those who were served in the end."""
    right: int
    """Of the refused, those who were served within twice the time that they were first told."""
    told_p50_seconds: float
    told_max_seconds: float
    accepted_meanwhile: int
    """Served while strangers still came."""
    queued: int
    """Times that somebody waited for a free connection; his wait counts."""
    late_p99_ms: float
    cpu_us: float


class _Visit:
    """Somebody who wants one charge."""

    __slots__ = ("came", "request", "sent", "told")

    def __init__(self, user: int, came: float) -> None:
        body = b'{"userId":%d,"amount":7}' % user
        head = b"POST /api/v1/balance/charge HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.request = head + kind + body
        self.came = came
        self.sent = 0.0
        self.told = 0


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self.visit: _Visit | None = None
        self._received = b""
        self.write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.write = cast("asyncio.Transport", transport).write

    def send(self, visit: _Visit) -> None:
        """Send a visitor's request."""
        self.visit, self._received = visit, b""
        self.write(visit.request)

    def data_received(self, data: bytes) -> None:
        """Hand the answer over once it is whole."""
        self._received += data
        received = self._received
        end, length = received.find(b"\r\n\r\n"), _LENGTH.search(received)
        if end < 0 or self.visit is None:
            return
        if len(received) >= end + 4 + (int(length[1]) if length else 0):
            visit, self.visit = self.visit, None
            status = received[9:12].decode()
            retry = _RETRY.search(received) if status in _AGAIN else None
            self._crowd.answered(visit, status, int(retry[1]) if retry else None)
            self._crowd.leave(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the crowd; a request that was under way is lost."""
        self._crowd.lost(self)


class Crowd:
    """Everybody who comes, and what they saw."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        where = urlsplit(plan.url)
        self._address = (where.hostname or "127.0.0.1", where.port or 80)
        self._chance = random.Random(plan.seed)
        self._free: list[_Connection] = []
        self._queue: deque[_Visit] = deque()
        self._under_way = self.broken = self.queued = 0
        self.is_over = False
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.lateness: list[float] = []
        self.told: list[int] = []
        self.untold = self.returned = self.right = self.accepted_meanwhile = 0
        self._outside = 0
        self._end = 0.0
        self.due: Sequence[float] = ()

    async def visit(self) -> None:
        """Let everybody come, and wait until everybody was served or patience is over."""
        await self._open()
        started = time.perf_counter()
        plan, self._end = self._plan, started + self._plan.seconds
        if not plan.rate:
            await self._visit_again_and_again(started)
            return
        self.due = due_times(plan.rate, plan.seconds, plan.seed)
        first = FIRST_USER * (plan.seed + 1)
        for number, due in enumerate(self.due):
            wait = started + due - time.perf_counter()
            if wait > 0 or number % 100 == 0:
                await asyncio.sleep(max(0.0, wait))
            self.lateness.append(max(0.0, time.perf_counter() - started - due))
            self._begin(_Visit(first + number, started + due))
        while self._outside or self._under_way:
            if time.perf_counter() > self._end + plan.patience_seconds:
                break
            await asyncio.sleep(0.1)
        self.seconds = time.perf_counter() - started
        self.is_over = True

    async def _visit_again_and_again(self, started: float) -> None:
        """Keep every connection busy: what can be served at most, asked for in this way."""
        numbers = count(FIRST_USER * self._plan.seed)
        while (now := time.perf_counter()) < self._end or self._under_way:
            while self._free and now < self._end:
                self._begin(_Visit(next(numbers), now))
            await asyncio.sleep(_LOOK_SECONDS)
        self.seconds = time.perf_counter() - started
        self.is_over = True

    async def _open(self) -> None:
        loop, plan = asyncio.get_running_loop(), self._plan
        wanted = math.ceil(plan.rate * _POOL_SECONDS) if plan.rate else plan.connections
        for _ in range(min(plan.connections, wanted)):
            _, connection = await loop.create_connection(lambda: _Connection(self), *self._address)
            self._free.append(connection)

    def _begin(self, visit: _Visit) -> None:
        self._under_way += 1
        visit.sent = time.perf_counter()
        if self._free:
            self._free.pop().send(visit)
        else:
            self.queued += 1
            self._queue.append(visit)

    def leave(self, connection: _Connection) -> None:
        """Let the next one have a connection."""
        if self._queue:
            connection.send(self._queue.popleft())
        else:
            self._free.append(connection)

    def answered(self, visit: _Visit, status: str, retry_seconds: int | None) -> None:
        """Take in an answer; who is told to come back will."""
        self._under_way -= 1
        now = time.perf_counter()
        self.statuses[status] += 1
        if status in _AGAIN:
            self._come_back(visit, retry_seconds)
            return
        self.latencies.append(now - visit.sent)
        self.accepted_meanwhile += now <= self._end
        if visit.told:
            self.returned += 1
            took = visit.sent - visit.came
            self.right += took <= 2 * visit.told + 2 * _LATE_SECONDS_MAX

    def _come_back(self, visit: _Visit, retry_seconds: int | None) -> None:
        if retry_seconds is None:
            self.untold += 1
            return
        if not visit.told:
            visit.told = retry_seconds
            self.told.append(retry_seconds)
        self._outside += 1
        late = self._chance.uniform(0.0, _LATE_SECONDS_MAX)
        asyncio.get_running_loop().call_later(retry_seconds + late, self._return, visit)

    def _return(self, visit: _Visit) -> None:
        self._outside -= 1
        self._begin(visit)

    def lost(self, connection: _Connection) -> None:
        """Take in that a connection is gone, which no server has a reason for."""
        self.broken += not self.is_over
        if connection.visit is not None:
            self._under_way -= 1
        elif connection in self._free:
            self._free.remove(connection)

    def seen(self, cpu_seconds: float) -> Seen:
        """The summary."""
        latencies, told = sorted(self.latencies), sorted(self.told)
        requests = sum(self.statuses.values()) or 1
        return Seen(
            seconds=self.seconds,
            statuses=dict(self.statuses),
            broken=self.broken,
            p50_ms=percentile(latencies, 0.5) * 1000,
            p99_ms=percentile(latencies, 0.99) * 1000,
            max_ms=latencies[-1] * 1000 if latencies else 0.0,
            due=len(self.due),
            refused=len(told),
            untold=self.untold,
            returned=self.returned,
            right=self.right,
            told_p50_seconds=percentile(told, 0.5),
            told_max_seconds=told[-1] if told else 0.0,
            accepted_meanwhile=self.accepted_meanwhile,
            queued=self.queued,
            late_p99_ms=percentile(sorted(self.lateness), 0.99) * 1000,
            cpu_us=cpu_seconds / requests * 1e6,
        )


def main() -> None:
    """Read the plan, visit, print."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    allow_open_files(plan.connections)
    cores.keep_to(plan.core)
    crowd, used = Crowd(plan), time.process_time()
    uvloop.run(crowd.visit())
    print(msgspec.json.encode(crowd.seen(time.process_time() - used)).decode())


if __name__ == "__main__":
    main()
