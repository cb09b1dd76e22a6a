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
                    async for event_id, data in _events(reply):
                        seen = event_id or seen
                        if data:
                            yield msgspec.json.decode(data, type=CommandState)
        except FairlineError:
            raise
        except (ClientError, OSError, TimeoutError):
            pass
        await asyncio.sleep(_PAUSES.pause(attempt, None, 0.5))
        attempt += 1


async def _events(reply: ClientResponse) -> AsyncIterator[tuple[str, bytes]]:
    """Read events: the id and the data of each, as the HTML standard has them."""
    event_id, data = "", b""
    async for line in reply.content:
        name, _, value = line.rstrip(b"\n").partition(b": ")
        if name == b"id":
            event_id = value.decode()
        elif name == b"data":
            data = value
        elif not line.strip():
            yield event_id, data
            data = b""
