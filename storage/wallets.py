"""Wallets and the history of their balances."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, EntryKind, Wallet
from domain.ids import UserId
from domain.state import Movement, Rows
from storage.lookups import Lookups, looked_up
from storage.rows import Writes, reader_of
from storage.schema import balance_entries, wallets
from storage.sets import any_pair, one_of

_wallet_names, _wallet_row = reader_of(Wallet)
_entry_names, _entry_row = reader_of(BalanceEntry)
_wallets_by_user = sa.select(*(wallets.c[name] for name in _wallet_names)).where(
    one_of(wallets.c.user_id, "wallet_users")
)
_moved = sa.select(*(balance_entries.c[name] for name in _entry_names)).where(
    any_pair(
        (balance_entries.c.command_id, balance_entries.c.user_id), ("moved_ids", "moved_users")
    )
)


async def load_wallets(
    connection: AsyncConnection, user_ids: Iterable[UserId]
) -> Rows[UserId, Wallet]:
    """Load the wallets of these users, those who have one."""
    return await looked_up(connection, lambda lookups: ask_wallets(lookups, user_ids))


def ask_wallets(
    lookups: Lookups, user_ids: Iterable[UserId]
) -> Callable[[], Rows[UserId, Wallet]]:
    """Gather the look-up of wallets, see `load_wallets`."""
    rows = lookups.ask(_wallets_by_user, {"wallet_users": list(user_ids)})
    return lambda: Rows({row[0]: Wallet(*row) for row in rows})


async def load_moved(
    connection: AsyncConnection, movements: Iterable[Movement]
) -> dict[Movement, BalanceEntry]:
    """Load the movements of balances that were made under these commands' ids."""
    return await looked_up(connection, lambda lookups: ask_moved(lookups, movements))


def ask_moved(
    lookups: Lookups, movements: Iterable[Movement]
) -> Callable[[], dict[Movement, BalanceEntry]]:
    """Gather the look-up of movements, see `load_moved`."""
    named = list(movements)
    pairs = {
        "moved_users": [user_id for user_id, _ in named],
        "moved_ids": [command_id for _, command_id in named],
    }
    rows = lookups.ask(_moved, pairs)
    return lambda: {
        (entry.user_id, entry.command_id): entry for entry in (_entry(*row) for row in rows)
    }


def _entry(user_id: Any, command_id: Any, kind: str, *numbers: int) -> BalanceEntry:
    return BalanceEntry(user_id, command_id, EntryKind(kind), *numbers)


class NumberedEntry(NamedTuple):
    """A movement and its number: a user's later ones have higher numbers."""

    entry_id: int
    entry: BalanceEntry


async def list_entries(
    connection: AsyncConnection, user_id: UserId, before: int | None, rows_max: int
) -> list[NumberedEntry]:
    """List a user's movements before one, or from the newest on, backwards."""
    entries = balance_entries.c
    query = (
        sa.select(entries.entry_id, *(entries[name] for name in _entry_names))
        .where(entries.user_id == user_id)
        .order_by(entries.entry_id.desc())
        .limit(rows_max)
    )
    if before is not None:
        query = query.where(entries.entry_id < before)
    return [NumberedEntry(row[0], _entry(*row[1:])) for row in await connection.execute(query)]


def save_wallets(writes: Writes, rows: Rows[UserId, Wallet], entries: list[BalanceEntry]) -> None:
    """Save changed balances, new wallets, and the movements between."""
    writes.update(wallets, _wallet_names, map(_wallet_row, rows.updated()))
    writes.insert(wallets, _wallet_names, map(_wallet_row, rows.added()))
    writes.insert(balance_entries, _entry_names, map(_entry_row, entries))
