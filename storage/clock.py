"""The database's own clock: the one clock that workers on several machines have in common."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class clock_ms(FunctionElement[int]):  # noqa: N801 - it reads like the SQL function that it is.
    """Epoch milliseconds by the database's clock, as of the statement and not its transaction."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(clock_ms, "postgresql")
def _on_postgresql(_element: clock_ms, _compiler: Any, **_options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"


@compiles(clock_ms, "sqlite")
def _on_sqlite(_element: clock_ms, _compiler: Any, **_options: Any) -> str:
    # Julian days count from noon, 4,714 years before the first; epochs from this one.
    return "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


async def load_clock(connection: AsyncConnection) -> int:
    """Ask the database what time it is, in epoch milliseconds."""
    return (await connection.execute(sa.select(clock_ms()))).scalar_one()
