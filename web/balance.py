"""A user's balance: read, charged, and how it came about."""

from aiohttp import web

from domain.entities import BalanceEntry
from storage.wallets import list_entries
from streams import wire
from streams.outcomes import Answer, moment
from web import shapes
from web.command_path import submission_of
from web.edge import EDGE
from web.paging import Cursors, split
from web.problems import respond
from web.requests import read_body, read_user_id, read_users_page
from web.shapes import encode

_CURSORS = Cursors("history", tuple[int])


async def read_balance(request: web.Request) -> web.Response:
    """Answer a user's balance, null where the user has none."""
    user_id = read_user_id(request)
    wallet = await request.app[EDGE].reads.wallets.get(user_id)
    balance = None if wallet is None else wallet.balance
    return respond(Answer(200, encode(wire.Balance(user_id, balance))))


async def list_balance_history(request: web.Request) -> web.Response:
    """Answer the movements of a user's balance with what each has left, the newest first."""
    user_id, page = read_users_page(request, _CURSORS)
    before = None if page.after is None else page.after[0]
    async with request.app[EDGE].database.connect() as connection:
        found = await list_entries(connection, user_id, before, page.limit + 1)
    shown, last = split(found, page.limit)
    following = None if last is None else _CURSORS.write((last.entry_id,))
    entries = [_show(numbered.entry) for numbered in shown]
    return respond(Answer(200, encode(shapes.BalanceHistory(user_id, entries, following))))


def _show(entry: BalanceEntry) -> shapes.BalanceEntry:
    return shapes.BalanceEntry(
        kind=entry.kind.value,
        amount=entry.amount,
        balance=entry.balance_after,
        command_id=entry.command_id,
        recorded_at=moment(entry.recorded_at_ms),
    )


async def charge_balance(request: web.Request) -> web.Response:
    """Add an amount to a user's balance."""
    payload = await read_body(request, wire.ChargeBalance)
    return await request.app[EDGE].commands.submit(submission_of(request, payload))
