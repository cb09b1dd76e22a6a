"""`column IN values` with one bound parameter, so that the text of a statement never varies.

A text for each number of values would fill the driver's cache of prepared statements; and a
statement that is made once, when the module is loaded, costs least to run.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


def array_of(kind: sa.types.TypeEngine[Any]) -> ARRAY[Any]:
    """Make the type of a PostgreSQL array parameter.

    Text has no bound there: a cast to one would cut longer text without a word, where the
    column itself refuses it.
    """
    bound = isinstance(kind, sa.String) and kind.length is not None
    return ARRAY(sa.Text() if bound else kind)


class _Listed(sa.types.TypeDecorator[Sequence[Any]]):
    """A list in one parameter: an array on PostgreSQL, JSON text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(array_of(self.item))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: sa.Dialect) -> Any:
        listed = list(value or ())
        return listed if dialect.name == "postgresql" else json.dumps(listed)


class _OneOf(FunctionElement[bool]):
    """The comparison itself; each dialect says it in its own way."""

    name = "one_of"
    # Were it a Boolean, SQLite would be asked whether it `= 1`, and read the whole table for that.
    type = sa.types.NullType()  # type: ignore[assignment]
    inherit_cache = True


def one_of(column: sa.Column[Any], name: str, *found: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Say that a column is one of the values in the parameter of this name, a list.

    Or one of those that queries of one column find. An index of the column is used for all.
    """
    listed = sa.bindparam(name, type_=_Listed(column.type))
    return _OneOf(column, listed, *(query.scalar_subquery() for query in found))


class _AnyPair(FunctionElement[bool]):
    """The same for two columns at once."""

    name = "any_pair"
    type = sa.types.NullType()  # type: ignore[assignment]
    inherit_cache = True


def any_pair(
    columns: tuple[sa.Column[Any], sa.Column[Any]], names: tuple[str, str]
) -> sa.ColumnElement[bool]:
    """Say that two columns are one of the pairs in the parameters of these names.

    These are lists of the same length: the first of one goes with the first of the other.
    """
    listed = [
        sa.bindparam(name, type_=_Listed(column.type))
        for column, name in zip(columns, names, strict=True)
    ]
    return _AnyPair(*columns, *listed)


@compiles(_OneOf, "postgresql")
def _one_of_array(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, *lists = (compiler.process(clause, **options) for clause in element.clauses)
    # What a query finds stands in brackets already.
    arrays = " || ARRAY".join(lists)
    return f"{column} = ANY ({arrays})"


@compiles(_OneOf, "sqlite")
def _one_of_json(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, listed, *found = (compiler.process(each, **options) for each in element.clauses)
    # All parts are the compiler's own text: a column's name, a parameter's mark, queries.
    values = [f"SELECT value FROM json_each({listed})"]  # noqa: S608  # nosec B608
    values += [f"SELECT * FROM {query}" for query in found]  # noqa: S608  # nosec B608
    return f"{column} IN ({' UNION ALL '.join(values)})"


@compiles(_AnyPair, "postgresql")
def _any_pair_of_arrays(element: _AnyPair, compiler: Any, **options: Any) -> str:
    one, two, ones, twos = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({one}, {two}) IN (SELECT * FROM unnest({ones}, {twos}))"  # noqa: S608  # nosec B608


@compiles(_AnyPair, "sqlite")
def _any_pair_of_json(element: _AnyPair, compiler: Any, **options: Any) -> str:
    one, two, ones, twos = (compiler.process(clause, **options) for clause in element.clauses)
    # Both lists are numbered from 0. Joined, each would be read once for each value of the other.
    second = f"json_extract({twos}, '$[' || key || ']')"
    return f"({one}, {two}) IN (SELECT value, {second} FROM json_each({ones}))"  # noqa: S608  # nosec B608
