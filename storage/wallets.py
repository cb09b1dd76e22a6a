"""Wallets and the history of their balances."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, Wallet
from domain.ids import UserId
from domain.state import Rows
from storage.rows import insert_rows, reader_of, update_rows
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


async def save_wallets(
    connection: AsyncConnection, rows: Rows[UserId, Wallet], entries: list[BalanceEntry]
) -> None:
    """Save changed balances, new wallets, and the movements between."""
    updated = [{"user_id": w.user_id, "balance": w.balance} for w in rows.updated()]
    added = [{"user_id": w.user_id, "balance": w.balance} for w in rows.added()]
    await update_rows(connection, wallets, updated)
    await insert_rows(connection, wallets, added)
    await insert_rows(connection, balance_entries, map(_entry_row, entries))


async def find_balance(connection: AsyncConnection, user_id: UserId) -> int | None:
    """Find a user's balance in won, None where there is no wallet."""
    query = sa.select(wallets.c.balance).where(wallets.c.user_id == user_id)
    balance: int | None = await connection.scalar(query)
    return balance
