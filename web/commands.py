"""Commands by their id: pending, or done with the status and body of their outcome."""

from uuid import UUID

import msgspec
from aiohttp import web

from storage.command_log import find_command
from streams.outcomes import Answer
from web.edge import EDGE
from web.identity import identity_of
from web.problems import ProblemError, respond
from web.requests import read_query
from web.shapes import CommandState, encode


async def read_command(request: web.Request) -> web.Response:
    """Answer what became of a command; one that this edge is waiting for is pending.

    With a token only the commands of its principal are there.
    """
    read_query(request)
    command_id = _canonical(request.match_info["commandId"])
    edge = request.app[EDGE]
    # Asked first: a command that ends in between is then found in the database.
    identity = identity_of(request)
    principal = None if identity is None else identity.principal
    is_awaited = edge.parts.results.is_awaited(command_id, principal)
    async with edge.database.connect() as connection:
        found = await find_command(connection, command_id, principal)
    if found is None and not is_awaited:
        raise _not_found()
    if found is None or found.status is None or found.body is None:
        shown = CommandState(command_id, "PENDING", None, None)
    else:
        shown = CommandState(command_id, "DONE", found.status, msgspec.Raw(found.body.encode()))
    return respond(Answer(200, encode(shown)))


def _canonical(text: str) -> str:
    try:
        canonical = str(UUID(text))
    except ValueError:
        raise _not_found() from None
    if text.lower() != canonical:
        raise _not_found()
    return canonical


def _not_found() -> ProblemError:
    detail = "There is no command of this id, or it is older than outcomes are kept."
    return ProblemError(404, "COMMAND_NOT_FOUND", detail)
