"""How entities become rows, many in one statement.

PostgreSQL gets one statement with an array per column: planned once, one round trip, and a
fraction of the cost of as many single statements. SQLite is in the process: there the driver
runs a prepared statement once for each row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.sets import array_of

Row = dict[str, Any]


def reader_of(kind: type) -> Callable[[Any], Row]:
    """Make a function that lists an entity's fields by name. Enums must be text already."""
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)
    return lambda entity: dict(zip(names, values(entity), strict=True))


async def insert_rows(connection: AsyncConnection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Insert rows by column name, all with the same columns; nothing for none."""
    listed = list(rows)
    if not listed:
        return
    if connection.dialect.name == "sqlite":
        await connection.execute(table.insert(), listed)
        return
    statement = _insert_from_arrays(table, tuple(listed[0]))
    await connection.execute(statement, _arrays(listed))


async def update_rows(connection: AsyncConnection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Set columns of rows that exist; the primary key's columns tell which."""
    listed = list(rows)
    if not listed:
        return
    names = tuple(listed[0])
    if connection.dialect.name == "sqlite":
        parameters = [{f"set_{name}": value for name, value in row.items()} for row in listed]
        await connection.execute(_update_by_key(table, names), parameters)
        return
    await connection.execute(_update_from_arrays(table, names), _arrays(listed))


def _arrays(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}


@lru_cache(maxsize=100)
def _insert_from_arrays(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().from_select(list(names), sa.select(*_unnested(table, names).columns))


@lru_cache(maxsize=100)
def _update_from_arrays(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    given = _unnested(table, names)
    keys, rest = _keys_and_rest(table, names)
    return (
        sa.update(table)
        .where(*(table.c[name] == given.c[name] for name in keys))
        .values({name: given.c[name] for name in rest})
    )


@lru_cache(maxsize=100)
def _update_by_key(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    keys, rest = _keys_and_rest(table, names)
    return (
        sa.update(table)
        .where(*(table.c[name] == sa.bindparam(f"set_{name}") for name in keys))
        .values({name: sa.bindparam(f"set_{name}") for name in rest})
    )


def _keys_and_rest(table: sa.Table, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    keys = [column.name for column in table.primary_key]
    return keys, [name for name in names if name not in keys]


def _unnested(table: sa.Table, names: tuple[str, ...]) -> sa.TableValuedAlias:
    arrays = [sa.bindparam(f"all_{name}", type_=array_of(table.c[name].type)) for name in names]
    columns = [sa.column(name, table.c[name].type) for name in names]
    return sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
