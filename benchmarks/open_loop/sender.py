"""The generator: requests are sent when they are due, whatever became of those before.

`python -m benchmarks.open_loop.sender` reads a plan from standard input and prints what it heard,
both as JSON. One thread and plain sockets, and `select`, whose timeout is exact to some 50
microseconds: the event loops at hand count in milliseconds, and would come late by half of one.
"""

import select
import socket
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from benchmarks.load import Answers
from benchmarks.open_loop.percentiles import percentile
from benchmarks.open_loop.schedule import due_times
from benchmarks.open_loop.works import READS, Shop, Work

CONNECTIONS_MAX = 900
"""`select` takes descriptors below 1024 only."""
_LEAD_SECONDS = 0.05


class Plan(msgspec.Struct):
    """What is sent: a work, at so many requests per second, for so long."""

    url: str
    work: str
    rate: float
    seconds: float
    seed: int
    users: int
    products: int
    code: str = "-"
    connections: int = 256
    """At most so many requests are under way; who is due then waits, and his wait counts."""
    evenly: bool = False
    drain_seconds: float = 10.0
    """So long after the last one was due answers are waited for."""


class Heard(Answers, kw_only=True):
    """What came back. Latencies are of all requests that were due, from when they were."""

    due: int
    p90_ms: float
    p999_ms: float
    unanswered: int
    """They count as answered at the end, which makes the latencies too small, not too big."""
    late_p50_ms: float
    late_p99_ms: float
    """How long after it was due a request was looked at: that was the generator's own fault."""
    cpu_us: float
    """What the generator itself used, in microseconds for each request."""


class _Connection:
    """A keep-alive connection with one request under way, or none."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.number = -1
        self._received = b""
        self._whole = 0
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, number: int, request: bytes) -> None:
        """Send a request; it fits into the socket's buffer, which is empty."""
        self.number, self._received, self._whole = number, b"", 0
        self._socket.sendall(request)

    def receive(self) -> tuple[str, bytes] | None:
        """Return status and body once the answer is whole. ConnectionError when it was broken."""
        part = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionResetError
        self._received += part
        if not self._whole:
            self._whole = _length(self._received)
        if not self._whole or len(self._received) < self._whole:
            return None
        return self._received[9:12].decode(), self._received[
            self._received.index(b"\r\n\r\n") + 4 :
        ]

    def open_again(self) -> None:
        """Take the place of a connection that the server has closed."""
        self._socket.close()
        self._open()

    def close(self) -> None:
        self._socket.close()


def _length(received: bytes) -> int:
    """Return how long the answer is, 0 while nobody knows."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = received[:end].lower()
    at = head.find(b"content-length:")
    return end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)


class Sender:
    """Sends what is due, and notes when it was answered."""

    def __init__(self, plan: Plan, work: Work, due: Sequence[float]) -> None:
        self._work = work
        self._due = due
        self._drain_seconds = plan.drain_seconds
        where = urlsplit(plan.url)
        assert where.hostname and where.port  # noqa: PT018
        address = (where.hostname, where.port)
        count = min(plan.connections, CONNECTIONS_MAX)
        self._idle = [_Connection(address) for _ in range(count)]
        self._busy: set[_Connection] = set()
        self._waiting: deque[int] = deque()
        self.statuses: Counter[str] = Counter()
        self.latencies: array[float] = array("d")
        self.lateness: array[float] = array("d")
        self.reads = self.broken = 0

    def run(self) -> float:
        """Send all; return how many seconds it took until the last answer, or the end."""
        self._start = time.perf_counter() + _LEAD_SECONDS
        following, count = 0, len(self._due)
        end = (self._due[-1] if count else 0.0) + self._drain_seconds
        while following < count or self._busy or self._waiting:
            now = time.perf_counter() - self._start
            if now > end:
                break
            while following < count and self._due[following] <= now:
                self._waiting.append(following)
                self.lateness.append(now - self._due[following])
                following += 1
            self._send_waiting()
            until = self._due[following] if following < count else end
            self._listen(max(0.0, until - (time.perf_counter() - self._start)))
        return self._close()

    def _send_waiting(self) -> None:
        while self._waiting and self._idle:
            number, connection = self._waiting.popleft(), self._idle.pop()
            connection.send(number, self._work.next())
            self._busy.add(connection)

    def _listen(self, seconds_max: float) -> None:
        readable, _, _ = select.select(self._busy, (), (), seconds_max)
        for connection in readable:
            try:
                answer = connection.receive()
            except ConnectionError:
                self.broken += 1
                connection.open_again()
                answer = ("broken", b"")
            if answer is not None:
                self._note(connection, *answer)

    def _note(self, connection: _Connection, status: str, body: bytes) -> None:
        self.latencies.append(time.perf_counter() - self._start - self._due[connection.number])
        self._busy.discard(connection)
        self._idle.append(connection)
        if status == "broken":
            return
        self.statuses[status] += 1
        if status == "200":
            self.reads += body.startswith(_READ) and _is_read(body)
            if self._work.listens:
                self._work.hear(body)

    def _close(self) -> float:
        seconds = time.perf_counter() - self._start
        for connection in (*self._idle, *self._busy):
            connection.close()
        self.unanswered = len(self._due) - len(self.latencies)
        for number in (*(each.number for each in self._busy), *self._waiting):
            self.latencies.append(seconds - self._due[number])
        return seconds


_READ = b'{"userId":'


def _is_read(body: bytes) -> bool:
    """Tell whether an answer that begins with its user is a balance or a list of coupons."""
    what = body[len(_READ) :].lstrip(b"0123456789")
    return what.startswith((b',"balance":', b',"coupons":'))


def send_here(plan: Plan) -> Heard:
    """Send in this process."""
    due = due_times(plan.rate, plan.seconds, plan.seed, evenly=plan.evenly)
    prefix = urlsplit(plan.url).path.rstrip("/")
    shop = Shop(plan.users, plan.products, plan.code, prefix)
    sender = Sender(plan, Work(plan.work, shop, plan.seed), due)
    used = time.process_time()
    seconds = sender.run()
    used = time.process_time() - used
    latencies, lateness = sorted(sender.latencies), sorted(sender.lateness)
    p50, p90, p99, p999 = (percentile(latencies, s) * 1000 for s in (0.5, 0.9, 0.99, 0.999))
    return Heard(
        seconds=seconds,
        statuses=dict(sender.statuses),
        broken=sender.broken,
        p50_ms=p50,
        p99_ms=p99,
        max_ms=latencies[-1] * 1000 if latencies else 0.0,
        reads=sender.statuses["200"] if plan.work in READS else sender.reads,
        due=len(due),
        p90_ms=p90,
        p999_ms=p999,
        unanswered=sender.unanswered,
        late_p50_ms=percentile(lateness, 0.5) * 1000,
        late_p99_ms=percentile(lateness, 0.99) * 1000,
        cpu_us=used / max(1, len(due)) * 1e6,
    )


def main() -> None:
    """Read the plan, send, print."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    print(msgspec.json.encode(send_here(plan)).decode())


if __name__ == "__main__":
    main()
