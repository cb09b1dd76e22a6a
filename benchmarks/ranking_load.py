"""One database's sales, loaded in a process of its own: seconds, memory, what held up the loop.

Started by `benchmarks.ranking`; prints one JSON object.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvloop

from domain.ranking import HOUR_MS, LogPoint, Sale, SourcePartition, live_window
from storage.engine import create_database
from storage.sales import load_sales_snapshot
from streams.codec import partition_of
from tables.clock import now_ms
from tables.hourly_values import HourlyValues, windowed
from tables.live import LiveSales
from tables.loading import Assignment, Loading

PARTITIONS = 8
TICK_SECONDS = 0.002
SALES = 100_000


class Figures(msgspec.Struct):
    """What was measured. Seconds are of the clock, blocks are times in which nothing else ran."""

    database: str
    values: int
    products: int
    sql_seconds: float
    sql_cpu_seconds: float
    sql_block_ms: float
    build_seconds: float
    build_cpu_seconds: float
    build_block_ms: float
    again_seconds: float
    rss_before_mb: float
    rss_loaded_mb: float
    rss_peak_mb: float
    tops_ms: float
    hour_ms: float
    count_us: float
    counted_bytes: float

    @property
    def bytes_per_value(self) -> float:
        """What the process grew by for each value."""
        return (self.rss_loaded_mb - self.rss_before_mb) * 2**20 / max(self.values, 1)


class Held:
    """The longest time for which the event loop did nothing else."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def watch(self) -> None:
        """Ask to be called often, and see how late it was."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            late = time.perf_counter() - before - TICK_SECONDS
            self.longest_ms = max(self.longest_ms, late * 1000)


class Span(msgspec.Struct):
    """What a block took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    block_ms: float = 0.0


@asynccontextmanager
async def measured() -> AsyncIterator[Span]:
    """Measure a block that gives the loop back now and then."""
    span, held = Span(), Held()
    watch = asyncio.create_task(held.watch())
    await asyncio.sleep(5 * TICK_SECONDS)
    held.longest_ms = 0.0
    began, cpu = time.perf_counter(), time.process_time()
    yield span
    span.seconds, span.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    await asyncio.sleep(5 * TICK_SECONDS)
    span.block_ms = held.longest_ms
    watch.cancel()


class PlainTable:
    """The sales table without Faust: what it costs is measured with a worker."""

    def __init__(self) -> None:
        self.by_hour = HourlyValues()

    def put(self, key: str, hour_ms: int, value: bytes) -> None:
        """Set a value."""
        self.by_hour[windowed(key, hour_ms)] = value


async def measure(url: str) -> Figures:
    """Load twice, as at the start and at a rebalance; then count sales, and turn the hour."""
    live, assignment = LiveSales(PlainTable()), Assignment(1, range(PARTITIONS), PARTITIONS)
    before = rss_mb()
    sql, build = await load(live, url, assignment)
    loaded = rss_mb()
    again = await load(live, url, assignment)
    values, products = live.values, live.products
    peak_mb = rss_peak_mb()
    tops_ms = timed_ms(lambda: live.take_changed(now_ms()))
    count_us, counted_bytes = count(live)
    return Figures(
        database=url.partition("+")[0],
        values=values,
        products=products,
        sql_seconds=sql.seconds,
        sql_cpu_seconds=sql.cpu_seconds,
        sql_block_ms=sql.block_ms,
        build_seconds=build.seconds,
        build_cpu_seconds=build.cpu_seconds,
        build_block_ms=build.block_ms,
        again_seconds=sum(span.seconds for span in again),
        rss_before_mb=before,
        rss_loaded_mb=loaded,
        rss_peak_mb=peak_mb,
        tops_ms=tops_ms,
        hour_ms=timed_ms(lambda: live.advance(now_ms() + HOUR_MS)),
        count_us=count_us,
        counted_bytes=counted_bytes,
    )


async def load(live: LiveSales, url: str, assignment: Assignment) -> tuple[Span, Span]:
    """Load as `tables/sales_loader.py` does."""
    database, at_ms = create_database(url), now_ms()
    async with measured() as sql:
        snapshot = await load_sales_snapshot(database, live_window(at_ms).start_ms)
    async with measured() as build:
        loading = Loading(snapshot, assignment, at_ms, live.window_hours)
        for _ in loading.steps():
            await asyncio.sleep(0)
        live.show(loading)
    await database.dispose()
    return sql, build


def count(live: LiveSales) -> tuple[float, float]:
    """Count a sale of each product in turn; return microseconds and new bytes for each."""
    at_ms, products = now_ms(), list(live.sums())
    sales = [
        Sale(products[number % len(products)], 1, at_ms, source, LogPoint(1, number))
        for number in range(SALES)
        for source in [SourcePartition("user-commands", number % PARTITIONS)]
    ]
    places = [partition_of(str(sale.product_id).encode(), PARTITIONS) for sale in sales]
    rss = rss_mb()
    began = time.perf_counter()
    for sale, place in zip(sales, places, strict=True):
        live.count(sale, place)
    took_ms = (time.perf_counter() - began) * 1000
    return took_ms * 1000 / SALES, (rss_mb() - rss) * 2**20 / SALES


def timed_ms(work: Callable[[], object]) -> float:
    """Return the milliseconds that something took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def rss_mb() -> float:
    """Return the memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def rss_peak_mb() -> float:
    """Return the most memory that it ever had; `getrusage` would name a bigger parent's."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the database, with its driver")
    print(msgspec.json.encode(uvloop.run(measure(parser.parse_args().url))).decode())
