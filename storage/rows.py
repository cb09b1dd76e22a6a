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
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.sets import array_of

Names = tuple[str, ...]
Row = tuple[Any, ...]


def reader_of(kind: type) -> tuple[Names, Callable[[Any], Row]]:
    """List an entity's fields, and make a function that reads them. Enums must be text already."""
    names = tuple(field.name for field in fields(kind))
    return names, attrgetter(*names)


class _Form(NamedTuple):
    """What a write looks like without its rows; statements are kept by their forms."""

    verb: Literal["insert", "update"]
    table: sa.Table
    names: Names


@dataclass(frozen=True, slots=True)
class _Write:
    form: _Form
    rows: list[Row]


class Writes:
    """Rows to insert and to update, gathered until they are written together.

    No row may be in two writes: they all happen at once. Rows are tuples of what `names` says.
    """

    def __init__(self) -> None:
        self._writes: list[_Write] = []

    def insert(self, table: sa.Table, names: Names, rows: Iterable[Row]) -> None:
        """Gather rows to insert."""
        self._gather(_Form("insert", table, names), rows)

    def update(self, table: sa.Table, names: Names, rows: Iterable[Row]) -> None:
        """Gather rows that stand differently now, whole: all columns that may not be empty."""
        self._gather(_Form("update", table, names), rows)

    def _gather(self, form: _Form, rows: Iterable[Row]) -> None:
        if listed := list(rows):
            self._writes.append(_Write(form, listed))

    async def flush(self, connection: AsyncConnection) -> None:
        """Write all that was gathered, in the order of gathering where that matters."""
        writes, self._writes = self._writes, []
        if connection.dialect.name == "sqlite":
            for write in writes:
                await connection.execute(_for_each_row(write.form), _parameters(write))
        elif writes:
            statement = _all_at_once(tuple(write.form for write in writes))
            await connection.execute(statement, _arrays(writes))


async def insert_rows(
    connection: AsyncConnection, table: sa.Table, names: Names, rows: Iterable[Row]
) -> None:
    """Insert rows; nothing for none."""
    writes = Writes()
    writes.insert(table, names, rows)
    await writes.flush(connection)


def _parameters(write: _Write) -> list[dict[str, Any]]:
    names = [f"set_{name}" for name in write.form.names]
    return [dict(zip(names, row, strict=True)) for row in write.rows]


def _arrays(writes: list[_Write]) -> dict[str, Row]:
    return {
        f"all_{number}_{name}": values
        for number, write in enumerate(writes)
        for name, values in zip(write.form.names, zip(*write.rows, strict=True), strict=True)
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


def _from_arrays(form: _Form, number: int) -> sa.Insert:
    table, names = form.table, form.names
    kinds = {name: table.c[name].type for name in names}
    arrays = [
        sa.bindparam(f"all_{number}_{name}", type_=array_of(kind)) for name, kind in kinds.items()
    ]
    columns = [sa.column(name, kind) for name, kind in kinds.items()]
    given = sa.func.unnest(*arrays).table_valued(*columns, name=f"given_{number}").render_derived()
    insert = postgresql.insert(table).from_select(list(names), sa.select(*given.columns))
    if form.verb == "insert":
        return insert
    # A join of arrays and table may be planned as a walk over the table. This is never one:
    # each row is looked up by its key.
    keys = [column.name for column in table.primary_key]
    moved = {name: insert.excluded[name] for name in names if name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=moved)
