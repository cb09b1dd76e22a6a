"""Keys and indexes of tables: taken away before a million rows are put in, made again after."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

_CONSTRAINTS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid), contype = 'f'
FROM pg_constraint
WHERE conrelid = ANY($1::text[]::regclass[]) AND contype IN ('p', 'u', 'f')
ORDER BY contype = 'f' DESC, conname
"""
_INDEXES = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index
WHERE indrelid = ANY($1::text[]::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY 2
"""


class Key(NamedTuple):
    """One of them: how it goes, and how it comes back."""

    table: str
    drop: str
    make: str
    is_foreign: bool


async def find_keys(connection: asyncpg.Connection, tables: Sequence[str]) -> list[Key]:
    """Find all of these tables, foreign keys first: they stand on the others."""
    keys = [
        Key(
            table,
            f"ALTER TABLE {table} DROP CONSTRAINT {name}",
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}",
            is_foreign,
        )
        for table, name, definition, is_foreign in await connection.fetch(
            _CONSTRAINTS, list(tables)
        )
    ]
    for table, name, definition in await connection.fetch(_INDEXES, list(tables)):
        keys.append(Key(table, f"DROP INDEX {name}", definition, is_foreign=False))
    return keys
