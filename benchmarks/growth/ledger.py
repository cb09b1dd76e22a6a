"""What was done since a shop was filled: counted without reading the millions of rows before."""

from dataclasses import dataclass, replace

import asyncpg

from benchmarks.ledger import Applied, Ledger
from benchmarks.open_loop.works import READS

# Whoever was charged or has paid holds what his last entry left.
_MOVED = """
WITH added AS (SELECT * FROM balance_entries WHERE entry_id > $1),
lasts AS (SELECT DISTINCT ON (user_id) * FROM added ORDER BY user_id, entry_id DESC)
SELECT count(*) FILTER (WHERE kind = 'CHARGE'), count(*) FILTER (WHERE kind = 'PAYMENT'),
    NOT EXISTS (
        SELECT FROM lasts LEFT JOIN wallets USING (user_id)
        WHERE balance IS DISTINCT FROM balance_after
    )
FROM added
"""
_DONE = """
SELECT count(*) FROM command_log WHERE id > $1 AND type = $2 AND disposition = 'APPLIED'
"""


@dataclass(frozen=True)
class LaterLedger(Ledger):
    """Counts what has come after the last record and the last entry of the filling."""

    record: int = 0
    entry: int = 0

    async def begun(self) -> "LaterLedger":
        """Return a ledger that counts from now on."""
        connection = await asyncpg.connect(self.database_url)
        try:
            record = await connection.fetchval("SELECT max(id) FROM command_log")
            entry = await connection.fetchval("SELECT max(entry_id) FROM balance_entries")
        finally:
            await connection.close()
        return replace(self, record=record or 0, entry=entry or 0)

    async def applied(self, work: str, code: str) -> Applied:
        """Count what a work has done. Reads do nothing."""
        if work in READS:
            return Applied(0, agrees=True)
        if work == "coupon":
            return await super().applied(work, code)
        connection = await asyncpg.connect(self.database_url)
        try:
            charges, payments, agrees = await connection.fetchrow(_MOVED, self.entry)
            if work == "charge":
                return Applied(charges, agrees)
            created = await connection.fetchval(_DONE, self.record, "CreateOrder")
            paid = await connection.fetchval(_DONE, self.record, "PayOrder")
        finally:
            await connection.close()
        return Applied(created + payments, agrees and paid == payments)
