"""Server-sent events, whatever they tell: a client that takes nothing is cut off."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": still here\n\n"
# Proxies drop a connection that is silent for half a minute or more.
HEARTBEAT_SECONDS = 15.0
# Who takes nothing for so long is cut off; until then it costs one event of memory.
STALL_SECONDS = 30.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class EventStream:
    """The stream of one client."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response

    @property
    def is_gone(self) -> bool:
        """Tell whether the client has left."""
        return self._request.transport is None

    @property
    def seen(self) -> str | None:
        """The id of the event that the client saw last."""
        return self._request.headers.get("Last-Event-ID")

    async def send(self, text: bytes) -> None:
        """Send events; raises ConnectionError or TimeoutError where the client takes none."""
        async with asyncio.timeout(STALL_SECONDS):
            await self._response.write(text)
            await self._request.writer.drain()


async def stream_events(
    request: web.Request, run: Callable[[EventStream], Awaitable[None]]
) -> web.StreamResponse:
    """Answer with a stream that lasts as long as `run`, or until its client is gone."""
    response = web.StreamResponse(headers=HEADERS)
    try:
        await response.prepare(request)
        _hold_back_little(request.transport)
        await run(EventStream(request, response))
    except ConnectionError:
        pass
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response


async def wait_for(change: asyncio.Event) -> bytes:
    """Wait for a change, and return what is to be sent where none comes."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await change.wait()
    except TimeoutError:
        return HEARTBEAT
    return b""


def _hold_back_little(transport: asyncio.Transport | None) -> None:
    """Keep what a client does not take: one event of it, and not for ever."""
    if transport is None:
        return
    transport.set_write_buffer_limits(high=0)
    connection = transport.get_extra_info("socket")
    # Who is gone without a word, its cable pulled, never answers a heartbeat; not on every system.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        silence_ms = int(STALL_SECONDS * 1000)
        with suppress(OSError):  # It is closed already; the next write will tell.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence_ms)
