"""The run: a small shop and a big one, side by side, the same work at the same rate in turn."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from app.settings import Settings
from benchmarks.closed_loop import WITH_A_COUPON
from benchmarks.fairline import start_fairline
from benchmarks.growth.ledger import LaterLedger
from benchmarks.growth.seeder import bytes_of, fill
from benchmarks.growth.size import EMPTY, FULL, Size
from benchmarks.growth.touched import since, touched
from benchmarks.load import Load
from benchmarks.machine import Circumstances, circumstances
from benchmarks.open_loop.asking import at_rate
from benchmarks.open_loop.sender import Heard
from benchmarks.open_loop.works import READS
from benchmarks.plans import AROUND_SECONDS
from benchmarks.progress import Progress
from benchmarks.rounds import run_round
from benchmarks.services import Services, real_services
from benchmarks.sides import Side, temporary_database
from storage.migrate import upgrade_async

WRITES = ("charge", "coupon", "orders")
CONNECTIONS = 128
PARTS = ("edge", "worker", "database")
"""Whose CPU time is the cost of a command. The broker and the cache know no history."""
ROWS_PER_SECOND = 60_000
"""What a filling was seen to do, with the keys: for the time that is left only."""


@dataclass(frozen=True)
class Options:
    """How big the shops are, and what is sent to both."""

    empty: Size = EMPTY
    full: Size = FULL
    works: tuple[str, ...] = WRITES + READS
    pairs: int = 5
    seconds: int = 10
    rate: float = 400.0
    """Requests per second: well below what either can do, so that both do the same."""

    def planned_seconds(self) -> float:
        """About how long it takes."""
        filling = sum(self.full.rows().values()) / ROWS_PER_SECOND
        return filling + len(self.works) * 2 * (self.pairs + 1) * self._around()

    def _around(self) -> float:
        return self.seconds + AROUND_SECONDS


SMOKE = Options(full=FULL.scaled(0.01), pairs=2, seconds=4, rate=100.0)


class ShopRound(msgspec.Struct):
    """One run: a work on one of the shops."""

    work: str
    side: str
    number: int
    heard: Heard
    faults: list[str]
    cpu_seconds: dict[str, float]
    touched: dict[str, int]

    def cpu_ms(self, parts: Sequence[str] = PARTS) -> float:
        """CPU milliseconds of these parts per request done, as far as they are known."""
        known = sum(self.cpu_seconds.get(part, 0.0) for part in parts)
        return known * 1000 / max(1, self.heard.accepted)

    def per_request(self, name: str) -> float:
        """How much of something was touched per request done."""
        return self.touched.get(name, 0) / max(1, self.heard.accepted)


class Shop(msgspec.Struct):
    """One of the shops, as it was filled."""

    name: str
    rows: dict[str, int]
    fill_seconds: float
    start_seconds: float
    """Until edge and worker had carried out a first command."""
    bytes_before: int
    bytes_after: int = 0


class Found(msgspec.Struct):
    """All that a run has found."""

    circumstances: Circumstances
    rate: float
    shops: list[Shop]
    rounds: list[ShopRound]

    @property
    def faults(self) -> list[str]:
        """Everything that did not bear checking."""
        return [
            f"{each.work}, {each.side}, round {each.number}: {fault}"
            for each in self.rounds
            for fault in each.faults
        ]


@dataclass(frozen=True)
class Stand:
    """A shop that is open: its side, its size and its database."""

    side: Side
    size: Size
    shop: Shop
    url: str


async def measure(options: Options, folder: Path) -> Found:
    """Fill both databases, start Fairline on each, and measure."""
    around = circumstances("benchmarks.open_loop")
    progress = Progress(options.planned_seconds())
    with real_services(folder) as services:
        around.services = services.products
        async with AsyncExitStack() as started:
            stands = []
            for name, size in (("empty", options.empty), ("full", options.full)):
                url = await started.enter_async_context(
                    temporary_database(services.urls["database"], f"growth_{name}")
                )
                shop = await _filled(url, name, size, progress)
                stands.append(await _open(started, services, folder, (url, size, shop)))
            rounds = await _take_turns(options, stands, progress)
            for stand in stands:
                stand.shop.bytes_after = await bytes_of(stand.url)
    return Found(around, options.rate, [stand.shop for stand in stands], rounds)


async def _filled(url: str, name: str, size: Size, progress: Progress) -> Shop:
    await upgrade_async(Settings(database_url=url).sqlalchemy_url)
    seconds = await fill(url, size, lambda line: progress.step(0.0, f"{name}: {line}"))
    share = sum(size.rows().values()) / ROWS_PER_SECOND if name == "full" else 0.0
    held = await bytes_of(url)
    progress.step(share, f"{name}: {held / 1e9:.2f} GB in {seconds:.0f} s")
    return Shop(name, size.rows(), seconds, 0.0, held)


async def _open(
    started: AsyncExitStack, services: Services, folder: Path, filled: tuple[str, Size, Shop]
) -> Stand:
    url, size, shop = filled
    logs = folder / shop.name
    logs.mkdir(exist_ok=True)
    began = time.monotonic()
    side = await started.enter_async_context(start_fairline(services, url, logs))
    shop.start_seconds = time.monotonic() - began
    ledger = await LaterLedger(url).begun()
    return Stand(replace(side, name=shop.name, ledger=ledger), size, shop, url)


async def _take_turns(
    options: Options, stands: Sequence[Stand], progress: Progress
) -> list[ShopRound]:
    """Let the shops run in turn, A B B A; the first round of each work is a warm-up."""
    rounds = []
    for work in options.works:
        for number in range(options.pairs + 1):
            for stand in stands if number % 2 else reversed(stands):
                each = await _round(options, stand, work, number)
                rounds.append(each)
                progress.step(options.seconds + AROUND_SECONDS, line_of(each))
    return [each for each in rounds if each.number]


async def _round(options: Options, stand: Stand, work: str, number: int) -> ShopRound:
    side, size = stand.side, stand.size
    code = f"GROWTH-{uuid.uuid4().hex[:8]}"
    if work in WITH_A_COUPON:
        await side.open_coupon(code)
    load = Load(work, side.url, CONNECTIONS, options.seconds, number, code)
    earlier = await touched(stand.url)
    done = await run_round(side, [], load, at_rate(options.rate, size.users, size.products))
    if work in READS:
        # The server's processes tell their counts once a second.
        await asyncio.sleep(1.1)
    assert isinstance(done.answers, Heard)
    return ShopRound(
        work=work,
        side=side.name,
        number=number,
        heard=done.answers,
        faults=done.faults,
        cpu_seconds=done.cpu_seconds,
        touched=since(await touched(stand.url), earlier),
    )


def line_of(each: ShopRound) -> str:
    """What is said of a round while others go on."""
    heard, which = each.heard, f"round {each.number}" if each.number else "warm-up"
    costs = ", ".join(f"{part} {each.cpu_ms([part]):.2f}" for part in PARTS)
    line = f"{each.work:8}{each.side:6}{which}: {heard.accepted} of {heard.due} done, p50"
    line = f"{line} {heard.p50_ms:.1f} ms, p99 {heard.p99_ms:.0f} ms, CPU ms: {costs}"
    return "; ".join([line, *each.faults])
