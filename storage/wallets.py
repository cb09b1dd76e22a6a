"""Wallets and the history of their balances."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.ids import UserId
from domain.state import Movement, Rows
from storage.rows import Writes, reader_of
from storage.schema import balance_entries, wallets
from storage.sets import any_pair, one_of

_entry_row = reader_of(BalanceEntry)
_wallets_by_user = sa.select(wallets).where(one_of(wallets.c.user_id, "user_ids"))
_moved = sa.select(*(balance_entries.c[name] for name in BalanceEntry.__dataclass_fields__)).where(
    any_pair((balance_entries.c.user_id, balance_entries.c.command_id), ("user_ids", "ids"))
)


async def load_wallets(
    connection: AsyncConnection, user_ids: Iterable[UserId]
) -> Rows[UserId, Wallet]:
    """Load the wallets of these users, those who have one."""
    ids = list(user_ids)
    if not ids:
        return Rows()
    found = await connection.execute(_wallets_by_user, {"user_ids": ids})
    return Rows({UserId(row[0]): Wallet(UserId(row[0]), row[1]) for row in found})


async def load_moved(
    connection: AsyncConnection, movements: Iterable[Movement]
) -> dict[Movement, BalanceEntry]:
    """Load the movements of balances that were made under these commands' ids."""
    named = list(movements)
    if not named:
        return {}
    pairs = {"user_ids": [user_id for user_id, _ in named], "ids": [each for _, each in named]}
    entries = [_entry(row) for row in await connection.execute(_moved, pairs)]
    return {(entry.user_id, entry.command_id): entry for entry in entries}


def _entry(row: sa.Row[Any]) -> BalanceEntry:
    return BalanceEntry(
        row.user_id,
        row.command_id,
        EntryKind(row.kind),
        row.amount,
        row.balance_after,
        row.recorded_at_ms,
    )


def save_wallets(writes: Writes, rows: Rows[UserId, Wallet], entries: list[BalanceEntry]) -> None:
    """Save changed balances, new wallets, and the movements between."""
    updated = [{"user_id": w.user_id, "balance": w.balance} for w in rows.updated()]
    added = [{"user_id": w.user_id, "balance": w.balance} for w in rows.added()]
    writes.update(wallets, updated)
    writes.insert(wallets, added)
    writes.insert(balance_entries, map(_entry_row, entries))
