"""What a database touches for a command: blocks of each table and index, and its own log."""

from collections.abc import Mapping

import asyncpg

_BLOCKS = """
SELECT relname AS name, heap_blks_hit + heap_blks_read AS blocks FROM pg_statio_user_tables
UNION ALL
SELECT indexrelname, idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes
"""
_READ = """
SELECT sum(heap_blks_read)::bigint + sum(coalesce(idx_blks_read, 0))::bigint
FROM pg_statio_user_tables
"""
WAL_BYTES, WAL_PAGES, BLOCKS_READ = "WAL bytes", "WAL full pages", "blocks from outside"
"""The log's counts are those of the whole server: nobody else may write meanwhile."""


async def touched(url: str) -> dict[str, int]:
    """Return the counts so far, by the names of tables and indexes, and those of the log."""
    connection = await asyncpg.connect(url)
    try:
        found = {row["name"]: int(row["blocks"]) for row in await connection.fetch(_BLOCKS)}
        found[BLOCKS_READ] = int(await connection.fetchval(_READ) or 0)
        wal = await connection.fetchrow("SELECT wal_bytes::bigint, wal_fpi FROM pg_stat_wal")
    finally:
        await connection.close()
    return found | {WAL_BYTES: int(wal[0]), WAL_PAGES: int(wal[1])}


def since(now: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    """Return what has come between two looks, of what has moved at all."""
    moved = {name: count - earlier.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in moved.items() if count}
