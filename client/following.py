"""A stream of results that outlives its connections."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession

from client.errors import FairlineError
from client.results import CommandState
from client.retrying import AGAIN, Retrying
from client.transport import Request, refusal_of

_PAUSES = Retrying()


async def follow(
    session: ClientSession, request: Request, after: str | None
) -> AsyncIterator[CommandState]:
    """Tell of each result once, over as many connections as it takes.

    `after` is the id of the event to go on from. Raises RefusedError where the stream is refused.
    """
    attempt, seen = 0, after
    while True:
        headers = {} if seen is None else {"Last-Event-ID": seen}
        try:
            async with session.get(request.path, params=request.query, headers=headers) as reply:
                if reply.status >= 400 and reply.status not in AGAIN:
                    raise refusal_of(reply.status, await reply.read(), None)
                if reply.status == 200:
                    attempt = 0
                    async for event in _events(reply):
                        seen = event.get(b"id", b"").decode() or seen
                        if event.get(b"event") == b"result":
                            yield msgspec.json.decode(event[b"data"], type=CommandState)
        except FairlineError:
            raise
        except (ClientError, OSError, TimeoutError):
            pass
        await asyncio.sleep(_PAUSES.pause(attempt, None, 0.5))
        attempt += 1


async def _events(reply: ClientResponse) -> AsyncIterator[dict[bytes, bytes]]:
    """Read events: the fields of each. None of ours has a field of more than one line."""
    fields: dict[bytes, bytes] = {}
    async for line in reply.content:
        name, _, value = line.rstrip(b"\n").partition(b": ")
        if name:
            fields[name] = value
        elif fields:
            yield fields
            fields = {}
