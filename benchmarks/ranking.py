"""What a million sales in three days cost the ranking: recovery, memory, a sale, a top list.

`python -m benchmarks.ranking` fills databases of its own, PostgreSQL and SQLite, loads each in a
process of its own, lets a worker count sales from a real Kafka on top, prints tables, and leaves
nothing behind. `--publish` writes them into docs/ranking.md.
"""

import argparse
import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiokafka.admin import AIOKafkaAdminClient

from app.services.errors import StartError
from benchmarks import report
from benchmarks.machine import ROOT, circumstances
from benchmarks.paid_orders import Amount, fill_postgres, fill_sqlite
from benchmarks.ranking_live import Live
from benchmarks.ranking_load import Figures
from benchmarks.services import driver_url, real_services, work_folder
from benchmarks.sides import temporary_database
from storage.migrate import upgrade_async
from tables.clock import now_ms

PAGE = ROOT / "docs" / "ranking.md"
DRIVEN = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


async def run(said: argparse.Namespace, folder: Path) -> str:
    """Measure everything; return the figures as Markdown."""
    around = circumstances("in the same processes")
    amount = Amount(said.orders, said.products, now_ms())
    with real_services(folder) as services:
        around.services = services.products
        async with temporary_database(services.urls["database"], "bench_ranking") as url:
            driven = driver_url(url)
            tell(f"filling PostgreSQL with {amount.orders:,} orders")
            await upgrade_async(driven)
            await fill_postgres(url, amount)
            loads = [await measure_load(driven)]
            tell(f"a worker, {said.sales:,} sales")
            live = await measure_live(url, services.urls["broker"], folder, said)
    tell("filling SQLite")
    file = f"sqlite+aiosqlite:///{folder / 'ranking.db'}"
    await upgrade_async(file)
    await asyncio.to_thread(fill_sqlite, str(folder / "ranking.db"), amount)
    loads.append(await measure_load(file))
    return "\n\n".join(["\n".join(around.lines()), load_table(loads), live_lines(live)])


async def measure_load(url: str) -> Figures:
    """Load in a new process: memory that was used before would hide what is used now."""
    tell(f"loading from {url.partition('+')[0]}")
    return msgspec.json.decode(await child("benchmarks.ranking_load", url), type=Figures)


async def measure_live(
    database_url: str, kafka_url: str, folder: Path, said: argparse.Namespace
) -> Live:
    """Run a worker in a new process, on topics that are deleted afterwards."""
    async with own_topics(kafka_url) as prefix:
        numbers = str(said.sales), str(said.products)
        places = database_url, kafka_url, prefix, str(folder / "data")
        found = await child("benchmarks.ranking_live", *places, *numbers)
    return msgspec.json.decode(found, type=Live)


@asynccontextmanager
async def own_topics(kafka_url: str) -> AsyncIterator[str]:
    """A prefix for topics; those that bear it are deleted in the end."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    try:
        yield prefix
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
        await admin.start()
        ours = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(ours)
        await admin.close()


async def child(module: str, *words: str) -> bytes:
    """Run a module; return its last line. Raises StartError with its last words."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        message = f"{module} ended with {process.returncode}"
        raise StartError(message)
    return out.splitlines()[-1]


def load_table(loads: list[Figures]) -> str:
    """A row for each figure, a column for each database."""
    names = " | ".join(DRIVEN[each.database] for each in loads)
    rows = [f"| of a load | {names} |", "|---|" + "--:|" * len(loads)]
    for title, form in LOAD_ROWS:
        cells = (form.format(each) for each in loads)
        rows.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(rows)


LOAD_ROWS = [
    ("values (a product's hour), of products", "{0.values:,}, {0.products:,}"),
    ("lines read and summed", "{0.sql_seconds:.1f} s"),
    ("CPU of that, in the worker", "{0.sql_cpu_seconds:.1f} s"),
    ("table and index built", "{0.build_seconds:.1f} s"),
    ("CPU of that", "{0.build_cpu_seconds:.1f} s"),
    ("both again, beside what was loaded", "{0.again_seconds:.1f} s"),
    ("event loop held up while reading, longest", "{0.sql_block_ms:.0f} ms"),
    ("and while building", "{0.build_block_ms:.0f} ms"),
    ("memory of the process before, after", "{0.rss_before_mb:.0f}, {0.rss_loaded_mb:.0f} MB"),
    ("at its highest, loading for the second time", "{0.rss_peak_mb:.0f} MB"),
    ("bytes for each value, index and all", "{0.bytes_per_value:.0f}"),
    ("bytes more for a value once a sale came by the stream", "{0.counted_bytes:.0f}"),
    ("top 100 of each of 8 partitions", "{0.tops_ms:.1f} ms for all"),
    ("an hour leaves, of 72", "{0.hour_ms:.0f} ms"),
    ("a sale, without Faust", "{0.count_us:.0f} µs"),
]


def live_lines(live: Live) -> str:
    """What the worker did, in a table of its own."""
    rows = [
        ("until it has joined its group and loaded all", f"{live.start_seconds:.1f} s"),
        (f"{live.sales:,} sales that waited in the log", f"{live.sales_per_second:,.0f} a second"),
        ("CPU of a sale, with Faust, changelog and top lists", f"{live.cpu_us_per_sale:.0f} µs"),
        ("memory of the worker after them", f"{live.rss_mb:.0f} MB"),
    ]
    head = ["| of a worker on PostgreSQL | |", "|---|--:|"]
    return "\n".join([*head, *(f"| {title} | {figure} |" for title, figure in rows)])


def tell(what: str) -> None:
    """Say where it is: it takes minutes."""
    print(what, flush=True)


def main() -> None:
    """Run, print, publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="of one line (1000000)")
    parser.add_argument("--products", type=int, default=100_000, help="sold (100000)")
    parser.add_argument("--sales", type=int, default=30_000, help="for a worker (30000)")
    parser.add_argument("--publish", action="store_true", help="write docs/ranking.md")
    said = parser.parse_args()
    with work_folder(keep=False) as folder:
        try:
            text = asyncio.run(run(said, folder))
        except StartError as error:
            sys.exit(f"not measured: {error}")
    print(f"\n{text}")
    if said.publish:
        report.publish(text, "ranking", PAGE)


if __name__ == "__main__":
    main()
