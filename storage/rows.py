"""How an entity becomes a row: by the names of its fields."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


def reader_of(kind: type) -> Callable[[Any], dict[str, Any]]:
    """Make a function that lists an entity's fields by name. Enums must be text already."""
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)
    return lambda entity: dict(zip(names, values(entity), strict=True))


def update_by_key(table: sa.Table, *columns: str) -> sa.Update:
    """Make the statement that sets columns of one row, by primary key, for many rows at once.

    Parameters are named `key_<column>` for the key and `new_<column>` for the values.
    """
    keys = [column == sa.bindparam(f"key_{column.name}") for column in table.primary_key]
    return sa.update(table).where(*keys).values({c: sa.bindparam(f"new_{c}") for c in columns})


async def execute_many(
    connection: AsyncConnection, statement: sa.Executable, rows: Iterable[dict[str, Any]]
) -> None:
    """Run a statement once for each row of parameters, in one round trip; nothing for none."""
    listed = list(rows)
    if listed:
        await connection.execute(statement, listed)
