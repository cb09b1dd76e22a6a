"""Our own load generator, for machines without wrk: keep-alive connections on bare sockets.

`python -m benchmarks.client URL CONNECTIONS SECONDS WORK SEED USERS PRODUCTS CODE` prints one line
of JSON, the same as the script of wrk does. It charges and issues; orders need wrk.
"""

import asyncio
import itertools
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.load import Answers

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def charges(seed: int, users: int, prefix: str = "") -> Iterator[bytes]:
    """Charges of chance users. Paths of the lock per request have a prefix."""
    chance = random.Random(seed)
    while True:
        user = chance.randint(1, users)
        yield _post(f"{prefix}/api/v1/balance/charge", {"userId": user, "amount": 7})


def issues(code: str, prefix: str = "") -> Iterator[bytes]:
    """One coupon, each time for another user."""
    for user in itertools.count(1):
        yield _post(f"{prefix}/api/v1/coupons/issue", {"userId": user, "couponCode": code})


def _post(path: str, fields: dict[str, object]) -> bytes:
    body = msgspec.json.encode(fields)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Tally:
    """What all connections have seen together."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.broken = 0

    def answers(self, seconds: float) -> Answers:
        """The summary."""
        ordered = sorted(self.latencies_ms) or [0.0]
        p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
        return Answers(seconds, dict(self.statuses), self.broken, p50, p99, ordered[-1])


class Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next one."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._received = b""
        self._send: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports do not descend from asyncio's.
        self._send = cast("asyncio.Transport", transport).write
        self._next()

    def data_received(self, data: bytes) -> None:
        """Count the answer once it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._tally.statuses[head[9:12].decode()] += 1
        self._tally.latencies_ms.append((time.perf_counter() - self._sent_at) * 1000)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that the server closes has lost its request."""
        self._tally.broken += 1

    def _next(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        self._send(next(self._requests))


async def run(url: str, connections: int, seconds: float, requests: Iterator[bytes]) -> Answers:
    """Keep so many requests under way for so long."""
    loop, tally, where = asyncio.get_running_loop(), Tally(), urlsplit(url)
    assert where.hostname
    assert where.port
    for _ in range(connections):
        await loop.create_connection(
            lambda: Connection(requests, tally), where.hostname, where.port
        )
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    return tally.answers(time.perf_counter() - started)


def main(arguments: list[str]) -> None:
    """Read the command line, send, print."""
    url, connections, seconds, work, seed, users, _products, code = arguments
    prefix = urlsplit(url).path.rstrip("/")
    requests = {
        "charge": charges(int(seed), int(users), prefix),
        "coupon": issues(code, prefix),
    }[work]
    answers = uvloop.run(run(url, int(connections), float(seconds), requests))
    print(msgspec.json.encode(answers).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
