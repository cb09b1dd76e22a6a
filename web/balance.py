"""A user's balance: read, and charged."""

from aiohttp import web

from streams import wire
from streams.outcomes import Answer
from web.command_path import submission_of
from web.edge import EDGE
from web.problems import respond
from web.requests import read_body, read_user_id
from web.shapes import encode


async def read_balance(request: web.Request) -> web.Response:
    """Answer a user's balance, null where the user has none."""
    user_id = read_user_id(request)
    wallet = await request.app[EDGE].reads.wallets.get(user_id)
    balance = None if wallet is None else wallet.balance
    return respond(Answer(200, encode(wire.Balance(user_id, balance))))


async def charge_balance(request: web.Request) -> web.Response:
    """Add an amount to a user's balance."""
    payload = await read_body(request, wire.ChargeBalance)
    return await request.app[EDGE].commands.submit(submission_of(request, payload))
