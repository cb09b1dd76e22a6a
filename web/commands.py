"""Commands by their id: pending, or done with the status and body of their outcome."""

import asyncio
from uuid import UUID

import msgspec
from aiohttp import web

from storage.command_log import find_command
from streams.outcomes import Answer
from web.edge import EDGE, Edge
from web.identity import identity_of
from web.problems import ProblemError, respond
from web.requests import read_query, read_wait
from web.shapes import DONE, PENDING, CommandState, encode

# Between two looks for the outcomes that clients wait for.
LOOK_SECONDS = 0.1


async def read_command(request: web.Request) -> web.Response:
    """Answer what became of a command, or that it is pending.

    With `wait` a pending one is answered as soon as it is done, or when that time is over.
    With a token only the commands of its principal are there.
    """
    seconds = read_wait(read_query(request, "wait"))
    command_id = _canonical(request.match_info["commandId"])
    edge = request.app[EDGE]
    identity = identity_of(request)
    principal = None if identity is None else identity.principal
    state = await _look(edge, command_id, principal)
    if seconds and state.state == PENDING:
        await _wait(edge, command_id, seconds)
        state = await _look(edge, command_id, principal)
    return respond(Answer(200, encode(state)))


async def _look(edge: Edge, command_id: str, principal: str | None) -> CommandState:
    # Asked first: a command that ends in between is then found in the database.
    is_awaited = edge.parts.results.is_awaited(command_id, principal)
    async with edge.database.connect() as connection:
        found = await find_command(connection, command_id, principal)
    if found is None and not is_awaited:
        raise _not_found()
    if found is None or found.status is None or found.body is None:
        return CommandState(command_id, PENDING, None, None)
    return CommandState(command_id, DONE, found.status, msgspec.Raw(found.body.encode()))


async def _wait(edge: Edge, command_id: str, seconds: int) -> None:
    """Wait until a command is done, whichever edge has it, for so long at most."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end and not edge.commands.is_closing:
        # All who wait look at the same moments, so that one query answers them.
        await asyncio.sleep(LOOK_SECONDS - loop.time() % LOOK_SECONDS)
        if await edge.reads.done.get(command_id):
            return


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
