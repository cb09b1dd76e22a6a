"""Wallets and the history of their balances."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, Wallet
from domain.ids import UserId
from domain.state import Rows
from storage.rows import Writes, reader_of
from storage.schema import balance_entries, wallets
from storage.sets import one_of

_entry_row = reader_of(BalanceEntry)
_wallets_by_user = sa.select(wallets).where(one_of(wallets.c.user_id, "user_ids"))


async def load_wallets(
    connection: AsyncConnection, user_ids: Iterable[UserId]
) -> Rows[UserId, Wallet]:
    """Load the wallets of these users, those who have one."""
    ids = list(user_ids)
    if not ids:
        return Rows()
    found = await connection.execute(_wallets_by_user, {"user_ids": ids})
    return Rows({UserId(row[0]): Wallet(UserId(row[0]), row[1]) for row in found})


def save_wallets(writes: Writes, rows: Rows[UserId, Wallet], entries: list[BalanceEntry]) -> None:
    """Save changed balances, new wallets, and the movements between."""
    updated = [{"user_id": w.user_id, "balance": w.balance} for w in rows.updated()]
    added = [{"user_id": w.user_id, "balance": w.balance} for w in rows.added()]
    writes.update(wallets, updated)
    writes.insert(wallets, added)
    writes.insert(balance_entries, map(_entry_row, entries))
