"""Reads of ours beside bare handlers, in turn: what is left to gain there.

Balances and coupons of chance users, and the live ranking; a handler that only answers as many
bytes, and handlers that answer a balance after one query.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import msgspec

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.ports import free_port
from benchmarks.cpu import cpu_seconds
from benchmarks.limits.installation import (
    Installation,
    Process,
    installed,
    status_of,
    until_ready,
)
from benchmarks.limits.options import Options
from benchmarks.limits.waiting import (
    USERS,
    charges,
    issues_of_many,
    shop,
    until_applied,
    waiting,
)
from benchmarks.load import Answers
from benchmarks.services import Services
from benchmarks.sides import wait_until
from streams import wire

SCRIPT = Path(__file__).with_name("gets.lua")
TOP = "/api/v1/products/top"
BALANCE = "/api/v1/balance?userId="
COUPONS_OF = "/api/v1/coupons?userId="
PRODUCTS = 20
PRICE = 5
CHARGED = 7
LEFT = CHARGED - PRICE
WARM_SECONDS = 2


@dataclass(frozen=True)
class Read:
    """What is asked for, and of whom."""

    name: str
    server: str
    path: str
    users: int = USERS


READS = (
    Read("bare", "bare", "/bare", 0),
    Read("top", "edge", TOP, 0),
    Read("query", "bare", "/query?userId="),
    Read("balance", "edge", BALANCE),
    Read("query by SQLAlchemy", "bare", "/core?userId="),
    Read("coupons", "edge", COUPONS_OF),
)


class ReadRate(msgspec.Struct):
    """One run of one read."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    """Of the server that was asked, and of the services, for each request."""
    fault: str = ""


@dataclass
class Bench:
    """The servers that are asked, and how."""

    services: Services
    options: Options
    server_to_url: Mapping[str, str]
    server_to_pid: Mapping[str, int]

    async def run(self, read: Read, seconds: int, seed: int) -> ReadRate:
        """Ask for so long."""
        pids = {"server": self.server_to_pid[read.server], **self.services.pids}
        used = cpu_seconds(pids)
        answers = await self._send(read, seconds, seed)
        spent = cpu_seconds(pids)
        done = max(answers.accepted, 1)
        others = sum(answers.statuses.values()) - answers.accepted + answers.broken
        return ReadRate(
            name=read.name,
            per_second=answers.accepted / answers.seconds,
            p50_ms=answers.p50_ms,
            p99_ms=answers.p99_ms,
            cpu_us={part: (spent[part] - used[part]) * 1e6 / done for part in used},
            fault=f"{answers.statuses}, {answers.broken} broken" if others else "",
        )

    async def _send(self, read: Read, seconds: int, seed: int) -> Answers:
        shape = ["-t1", f"-c{self.options.connections}", f"-d{seconds}s", "--timeout", "15s"]
        posts = ["charge", str(seed), "1", "1", "-", "0"]
        where = [self.server_to_url[read.server], "--", *posts, read.path, str(read.users)]
        process = await asyncio.create_subprocess_exec(
            "wrk", *shape, "-s", str(SCRIPT), *where, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            message = f"wrk left with {process.returncode}"
            raise RuntimeError(message)
        return msgspec.json.decode(output.splitlines()[-1], type=Answers)


async def measure(services: Services, folder: Path, options: Options) -> list[ReadRate]:
    """Fill a shop, warm up, and let all reads take turns."""
    if not shutil.which("wrk"):
        message = "the reads need wrk: our own client only posts"
        raise StartError(message)
    found = []
    async with opened(services, folder, options) as bench:
        for read in READS:
            await bench.run(read, WARM_SECONDS, 0)
        for number in range(1, options.read_rounds + 1):
            for read in READS:
                found.append(await bench.run(read, options.seconds, number))
                tell(found[-1])
    return found


@asynccontextmanager
async def opened(services: Services, folder: Path, options: Options) -> AsyncIterator[Bench]:
    """Start a whole installation, fill it, and start the yardsticks beside it."""
    async with AsyncExitStack() as started:
        installation = await started.enter_async_context(installed(services, folder))
        words = (("edge",), ("worker",), ("worker", "--kind", "ranking"))
        edge, worker, ranking = (
            started.enter_context(installation.started(*each)) for each in words
        )
        await until_ready(edge, worker, ranking)
        await fill(installation, worker)
        body = await sell(edge)
        bare = Bare(installation.database_url, folder / "bare.log", body)
        started.callback(bare.child.stop, 5.0)
        await wait_until(bare.is_ready, "the bare handlers")
        await check(edge.url, bare.url)
        urls = {"edge": edge.url, "bare": bare.url}
        yield Bench(services, options, urls, {"edge": edge.child.pid, "bare": bare.child.pid})


class Bare:
    """The process of the yardsticks."""

    def __init__(self, database_url: str, log: Path, body_bytes: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        module = [sys.executable, "-m", "benchmarks.limits.bare"]
        words = [*module, str(port), database_url, str(body_bytes)]
        self.child = Child(Launch(words, log=log))

    async def is_ready(self) -> bool:
        """Ask it."""
        return await status_of(f"{self.url}/bare") == 200


async def fill(installation: Installation, worker: Process) -> None:
    """Give everybody a balance and a coupon, by the log."""
    topics, url = installation.topics, installation.kafka_url
    products = (wire.DefineProduct(n, f"Mug {n}", PRICE, 10**9) for n in range(1, PRODUCTS + 1))
    for topic, payloads in (
        (topics.catalog_commands, products),
        (topics.coupon_commands, shop()),
        (topics.user_commands, charges(USERS)),
        (topics.coupon_commands, issues_of_many(USERS, 1)),
    ):
        async with waiting(url, topic, payloads) as expected:
            pass
        await until_applied(installation.database_url, expected, worker)


async def sell(edge: Process) -> int:
    """Sell a piece of each product; return the size of the ranking that shows them all."""
    async with aiohttp.ClientSession(edge.url) as session:
        for product in range(1, PRODUCTS + 1):
            order = {"userId": product, "items": [{"productId": product, "quantity": 1}]}
            made = await (await session.post("/api/v1/orders", json=order)).json()
            paid = {"userId": product, "orderId": made["orderId"]}
            await session.post("/api/v1/orders/pay", json=paid)
        size = 0

        async def shows_some() -> bool:
            nonlocal size
            answer = await session.get(TOP)
            size = len(await answer.read())
            return answer.status == 200 and bool((await answer.json())["products"])

        await wait_until(shows_some, "the ranking")
    return size


async def check(edge_url: str, bare_url: str) -> None:
    """Hold some answers against what was put in; RuntimeError where they are others."""
    async with aiohttp.ClientSession() as session:
        for user, left in ((1, LEFT), (PRODUCTS + 1, CHARGED), (USERS, CHARGED)):
            asked = [f"{edge_url}{BALANCE}{user}"]
            asked += [f"{bare_url}/{name}?userId={user}" for name in ("query", "core")]
            told = [await (await session.get(url)).json() for url in asked]
            listed = await (await session.get(f"{edge_url}{COUPONS_OF}{user}")).json()
            if told != [{"userId": user, "balance": left}] * 3 or len(listed["coupons"]) != 1:
                message = f"user {user} has {left}, but is told {told} and {listed}"
                raise RuntimeError(message)


def tell(rate: ReadRate) -> None:
    """One line while it runs."""
    parts = ", ".join(f"{part} {us:.0f} µs" for part, us in rate.cpu_us.items() if us >= 0.5)
    line = f"{rate.name}: {rate.per_second:,.0f}/s, p99 {rate.p99_ms:.1f} ms ({parts})"
    print(line, *filter(None, [rate.fault]), sep="; ", flush=True)


def middles(rates: Sequence[ReadRate]) -> dict[str, ReadRate]:
    """Of each read the run in the middle, by what was served in a second."""
    found = {}
    for name in dict.fromkeys(rate.name for rate in rates):
        runs = sorted((r for r in rates if r.name == name), key=lambda rate: rate.per_second)
        found[name] = runs[len(runs) // 2]
    return found


def figures(rates: Sequence[ReadRate]) -> dict[str, float]:
    """Ours to its yardstick: by what is served in a second, and by CPU time of the server."""
    found = {}
    for name, ours, yardstick in (
        ("top_vs_bare", "top", "bare"),
        ("balance_vs_query", "balance", "query"),
    ):
        mine = [rate for rate in rates if rate.name == ours]
        pairs = list(zip(mine, (r for r in rates if r.name == yardstick), strict=True))
        found[name] = median(each.per_second / other.per_second for each, other in pairs)
        found[f"{name}_cpu"] = median(
            other.cpu_us["server"] / each.cpu_us["server"] for each, other in pairs
        )
    return found
