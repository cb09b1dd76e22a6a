"""Fills a migrated PostgreSQL database with a shop's rows, as fast as it takes them.

`python -m benchmarks.growth.seeder postgresql://... --share 0.01` fills one that is empty.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable

import asyncpg

from benchmarks.growth.keys import Key, find_keys
from benchmarks.growth.rows import fillings, formulas
from benchmarks.growth.size import FULL, Size

TABLES = tuple(FULL.rows())
AT_ONCE = 200_000
"""Numbers of one statement: a progress line comes every few seconds."""
JOBS = 2
SETTINGS = {
    "search_path": "public, seeding",
    # Whoever is killed meanwhile begins anew anyway.
    "synchronous_commit": "off",
    "maintenance_work_mem": "512MB",
    "work_mem": "64MB",
}
Step = Callable[[str], None]
"""Says what is done."""
_NEXT = "SELECT setval(pg_get_serial_sequence('{0}', '{1}'), max({1})) FROM {0}"
_DRAWN = (("command_log", "id"), ("balance_entries", "entry_id"))


async def fill(url: str, size: Size, step: Step = print) -> float:
    """Fill the database, and return how many seconds it took. It must have no rows yet."""
    began = time.monotonic()
    async with asyncpg.create_pool(
        url, min_size=JOBS, max_size=JOBS, server_settings=SETTINGS
    ) as pool:
        await pool.execute("CREATE SCHEMA seeding")
        await pool.execute(formulas(size, int(time.time() * 1000)))
        async with pool.acquire() as connection:
            keys = await find_keys(connection, TABLES)
        for key in keys:
            await pool.execute(key.drop)
        await _put_rows(pool, size, step)
        await _make_keys(pool, keys, step)
        await pool.execute("DROP SCHEMA seeding CASCADE")
        for table, column in _DRAWN:
            await pool.execute(_NEXT.format(table, column))
        # Nothing of this is left to be done while somebody measures.
        await _all(pool, [f"VACUUM (FREEZE, ANALYZE) {table}" for table in TABLES])
        await pool.execute("CHECKPOINT")
    return time.monotonic() - began


async def _put_rows(pool: asyncpg.Pool, size: Size, step: Step) -> None:
    """Run all statements in parts, several at a time; a line for each part says how far it is."""
    parts = [
        (filling, first, min(first + AT_ONCE, filling.numbers))
        for filling in fillings(size)
        for first in range(0, filling.numbers, AT_ONCE)
    ]
    planned = sum(end - first for _, first, end in parts)
    done = 0
    waiting = iter(parts)

    async def work() -> None:
        nonlocal done
        for filling, first, end in waiting:
            await pool.execute(filling.statement, first, end)
            done += end - first
            step(f"{done / planned:4.0%} of all rows: {end:,} {filling.what}")

    await asyncio.gather(*(work() for _ in range(JOBS)))


async def _make_keys(pool: asyncpg.Pool, keys: Iterable[Key], step: Step) -> None:
    """Make what was taken away: a table's one after the other, then those between tables."""
    tables: dict[str, list[Key]] = {}
    for key in keys:
        tables.setdefault("" if key.is_foreign else key.table, []).append(key)
    foreign = tables.pop("", [])

    async def work(own: list[Key]) -> None:
        for key in own:
            began = time.monotonic()
            await pool.execute(key.make)
            step(f"{time.monotonic() - began:5.0f} s: {key.make[:90]}")

    await asyncio.gather(*map(work, tables.values()))
    await work(foreign)


async def _all(pool: asyncpg.Pool, statements: Iterable[str]) -> None:
    await asyncio.gather(*(pool.execute(statement) for statement in statements))


async def bytes_of(url: str) -> int:
    """Return how much room a database takes."""
    connection = await asyncpg.connect(url)
    try:
        found: int = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    return found


def main() -> None:
    """Read the command line, and fill."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth.seeder", description=__doc__
    )
    parser.add_argument("url", help="of a database after `fairline migrate`")
    parser.add_argument("--share", type=float, default=1.0, help="of ten million commands (1.0)")
    asked = parser.parse_args()
    seconds = asyncio.run(fill(asked.url, FULL.scaled(asked.share)))
    print(f"{asyncio.run(bytes_of(asked.url)) / 1e9:.2f} GB in {seconds:.0f} s")


if __name__ == "__main__":
    main()
