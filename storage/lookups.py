"""Queries by key that are gathered and asked together: on PostgreSQL in one round trip.

Each query becomes an array of rows, all of them columns of one row. SQLite is in the process:
there they are asked one after the other.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Found = Sequence[Sequence[Any]]
"""The rows of a query, by position. There are none before it was asked."""


class Lookups:
    """Queries to ask together. They see one moment, but for rows that they wait for and lock."""

    def __init__(self) -> None:
        self._asked: list[tuple[sa.Select[Any], list[Sequence[Any]]]] = []
        self._parameters: dict[str, Any] = {}

    def ask(self, query: sa.Select[Any], parameters: Mapping[str, Any]) -> Found:
        """Gather a query of a module; nothing is asked where its lists are all empty.

        Queries share parameters by name: one name, one value. Raises ValueError for two.
        """
        rows: list[Sequence[Any]] = []
        if any(parameters.values()):
            for name, value in parameters.items():
                if self._parameters.setdefault(name, value) != value:
                    message = f"{name} has two values"
                    raise ValueError(message)
            self._asked.append((query, rows))
        return rows

    async def fetch(self, connection: AsyncConnection) -> None:
        """Ask all that was gathered, and fill in the rows."""
        asked, self._asked = self._asked, []
        if connection.dialect.name == "sqlite":
            for query, rows in asked:
                rows.extend(await connection.execute(query, self._parameters))
        elif asked:
            statement = _together(tuple(query for query, _ in asked))
            row = (await connection.execute(statement, self._parameters)).one()
            for (_, rows), found in zip(asked, row, strict=True):
                rows.extend(found)


async def looked_up(connection: AsyncConnection, ask: Callable[[Lookups], Callable[[], T]]) -> T:
    """Ask one thing alone; `ask` gathers it, and returns how to read what was found."""
    lookups = Lookups()
    answer = ask(lookups)
    await lookups.fetch(connection)
    return answer()


@lru_cache(maxsize=100)
def _together(queries: tuple[sa.Select[Any], ...]) -> sa.Select[Any]:
    return sa.select(*(sa.func.array(_as_rows(query)) for query in queries))


def _as_rows(query: sa.Select[Any]) -> sa.ScalarSelect[Any]:
    row = sa.func.row(*query.selected_columns)
    return query.with_only_columns(row, maintain_column_froms=True).scalar_subquery()
