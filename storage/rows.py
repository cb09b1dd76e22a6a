"""How entities become rows, and how all that a transaction writes becomes one statement.

PostgreSQL gets one statement with an array per column: planned once, one round trip, and a
fraction of the cost of as many single statements. SQLite is in the process: there the driver
runs a prepared statement once for each row.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.sets import array_of

Row = dict[str, Any]


def reader_of(kind: type) -> Callable[[Any], Row]:
    """Make a function that lists an entity's fields by name. Enums must be text already."""
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)
    return lambda entity: dict(zip(names, values(entity), strict=True))


class _Form(NamedTuple):
    """What a write looks like without its rows; statements are kept by their forms."""

    verb: Literal["insert", "update"]
    table: sa.Table
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Write:
    form: _Form
    rows: list[Row]


class Writes:
    """Rows to insert and to update, gathered until they are written together.

    No row may be in two writes: they all happen at once.
    """

    def __init__(self) -> None:
        self._writes: list[_Write] = []

    def insert(self, table: sa.Table, rows: Iterable[Row]) -> None:
        """Gather rows to insert by column name, all with the same columns."""
        self._gather("insert", table, list(rows))

    def update(self, table: sa.Table, rows: Iterable[Row]) -> None:
        """Gather rows to change; the primary key's columns tell which, the others what."""
        self._gather("update", table, list(rows))

    def _gather(self, verb: Literal["insert", "update"], table: sa.Table, rows: list[Row]) -> None:
        if rows:
            self._writes.append(_Write(_Form(verb, table, tuple(rows[0])), rows))

    async def flush(self, connection: AsyncConnection) -> None:
        """Write all that was gathered, in the order of gathering where that matters."""
        writes, self._writes = self._writes, []
        if connection.dialect.name == "sqlite":
            for write in writes:
                await connection.execute(_for_each_row(write.form), _parameters(write.rows))
        elif writes:
            statement = _all_at_once(tuple(write.form for write in writes))
            await connection.execute(statement, _arrays(writes))


async def insert_rows(connection: AsyncConnection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Insert rows by column name, all with the same columns; nothing for none."""
    writes = Writes()
    writes.insert(table, rows)
    await writes.flush(connection)


def _parameters(rows: list[Row]) -> list[Row]:
    return [{f"set_{name}": value for name, value in row.items()} for row in rows]


def _arrays(writes: list[_Write]) -> dict[str, list[Any]]:
    return {
        f"all_{number}_{name}": [row[name] for row in write.rows]
        for number, write in enumerate(writes)
        for name in write.form.names
    }


@lru_cache(maxsize=100)
def _for_each_row(form: _Form) -> sa.Insert | sa.Update:
    values: dict[str, Any] = {name: sa.bindparam(f"set_{name}") for name in form.names}
    if form.verb == "insert":
        return sa.insert(form.table).values(values)
    keys = [column.name for column in form.table.primary_key]
    return (
        sa.update(form.table)
        .where(*(form.table.c[name] == values.pop(name) for name in keys))
        .values(values)
    )


@lru_cache(maxsize=1000)
def _all_at_once(forms: tuple[_Form, ...]) -> sa.Select[Any]:
    parts = [
        _from_arrays(form, number).cte(f"write_{number}") for number, form in enumerate(forms)
    ]
    return sa.select(sa.literal_column("1", sa.Integer)).add_cte(*parts)


def _from_arrays(form: _Form, number: int) -> sa.Insert | sa.Update:
    table, names = form.table, form.names
    kinds = {name: table.c[name].type for name in names}
    arrays = [
        sa.bindparam(f"all_{number}_{name}", type_=array_of(kind)) for name, kind in kinds.items()
    ]
    columns = [sa.column(name, kind) for name, kind in kinds.items()]
    given = sa.func.unnest(*arrays).table_valued(*columns, name=f"given_{number}").render_derived()
    if form.verb == "insert":
        return sa.insert(table).from_select(list(names), sa.select(*given.columns))
    keys = [column.name for column in table.primary_key]
    return (
        sa.update(table)
        .where(*(table.c[name] == given.c[name] for name in keys))
        .values({name: given.c[name] for name in names if name not in keys})
    )
