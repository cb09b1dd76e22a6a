"""Holds a lease while a piece of work is done that only one of several workers should do."""

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator

from storage.engine import Database
from storage.leases import Lease, keep_lease, release_lease, take_lease
from streams.stopping import check_stopping
from tables.unbroken import unbroken

log = logging.getLogger(__name__)


class LeasedError(Exception):
    """Another worker holds the lease."""


class LeaseHolder:
    """One that may hold a lease, under a name that nobody else has."""

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        self._database = database
        holder = f"{socket.gethostname()[:100]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.lease = Lease(name, holder, round(seconds * 1000))

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the lease while the block runs. Raises LeasedError where it is another's."""
        try:
            # Cancelled while it takes the lease, it has it, and gives it back.
            if not await unbroken(self._take()):
                message = f"another worker holds the lease of {self.lease.name}"
                raise LeasedError(message)
            yield
        finally:
            await unbroken(self._release())

    async def keep(self) -> None:
        """Renew the lease. Raises LeaseLostError where another one has taken it."""
        await unbroken(self._keep())

    async def _take(self) -> bool:
        async with self._database.begin() as connection:
            return await take_lease(connection, self.lease)

    async def _keep(self) -> None:
        async with self._database.begin() as connection:
            await keep_lease(connection, self.lease)

    async def _release(self) -> None:
        try:
            async with self._database.begin() as connection:
                await release_lease(connection, self.lease)
        except Exception as error:
            check_stopping(error)
            # It runs out by itself; what was made under it must not fail for that.
            log.warning("the lease of %s was not released: %r", self.lease.name, error)
