"""The live ranking as server-sent events: each viewer gets the newest state, never a backlog."""

import asyncio
import socket
from contextlib import suppress

from aiohttp import web

from web.access import public
from web.edge import EDGE
from web.products import read_limit
from web.requests import read_query
from web.top_board import TopBoard

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


@public
async def stream_top_products(request: web.Request) -> web.StreamResponse:
    """Send the best sellers, and send them again whenever they have changed.

    A viewer that names the present state in `Last-Event-ID` has it already.
    """
    limit = read_limit(read_query(request, "limit"))
    board = request.app[EDGE].board
    with board.viewed_by(request.protocol):
        response = web.StreamResponse(headers=HEADERS)
        try:
            await response.prepare(request)
            await _stream(request, response, board, limit)
        except ConnectionError:
            pass
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        return response


async def _stream(
    request: web.Request, response: web.StreamResponse, board: TopBoard, limit: int
) -> None:
    _hold_back_little(request.transport)
    seen = request.headers.get("Last-Event-ID")
    text = RETRY
    while not (board.is_closing or request.transport is None):
        changed = board.next_change()
        event = board.shown.event(limit) if board.shown else None
        if event is not None and event.id != seen:
            seen = event.id
            text += event.text
        if text:
            await _send(request, response, text)
        text = await _wait(changed)


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


async def _send(request: web.Request, response: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await response.write(text)
        await request.writer.drain()


async def _wait(changed: asyncio.Event) -> bytes:
    """Wait for a change, and return what is to be sent where none comes."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await changed.wait()
    except TimeoutError:
        return HEARTBEAT
    return b""
