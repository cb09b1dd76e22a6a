"""Leases: who of several workers does what only one should do, until when.

All times are the database's: whose clock is wrong neither keeps a lease too long nor takes it too
early. A lease is taken and renewed by the same statement, which both databases run as one.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import clock_ms
from storage.schema import leases


@dataclass(frozen=True, slots=True)
class Lease:
    """What is leased, who wants it, and for how long at a time.

    A holder's name is its own: two that share one would both hold the lease.
    """

    name: str
    holder: str
    for_ms: int


class LeaseLostError(Exception):
    """The lease ran out, and another one has it: what was done under it must not be kept."""


async def take_lease(connection: AsyncConnection, lease: Lease) -> bool:
    """Take a lease that is free, has run out, or is one's own; tell whether one holds it now."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    until_ms = clock_ms() + lease.for_ms
    statement = (
        insert(leases)
        .values(name=lease.name, holder=lease.holder, until_ms=until_ms)
        .on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": lease.holder, "until_ms": until_ms},
            where=sa.or_(leases.c.holder == lease.holder, leases.c.until_ms <= clock_ms()),
        )
        .returning(leases.c.holder)
    )
    return (await connection.execute(statement)).one_or_none() is not None


async def keep_lease(connection: AsyncConnection, lease: Lease) -> None:
    """Renew a lease that one holds, and hold others off until the transaction ends.

    As the last statement of a transaction it is a fence: a holder that was paused for longer than
    its lease cannot commit. Raises LeaseLostError where another one has taken it, or
    has had it and let it go.
    """
    statement = sa.update(leases).where(*_own(lease)).values(until_ms=clock_ms() + lease.for_ms)
    if not (await connection.execute(statement)).rowcount:
        message = f"the lease of {lease.name} ran out, and another one took it"
        raise LeaseLostError(message)


async def release_lease(connection: AsyncConnection, lease: Lease) -> None:
    """Let others have a lease at once; one that is another's stays."""
    await connection.execute(sa.delete(leases).where(*_own(lease)))


def _own(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return (leases.c.name == lease.name, leases.c.holder == lease.holder)
