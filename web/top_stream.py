"""The live ranking as server-sent events: each viewer gets the newest state, never a backlog."""

from functools import partial

from aiohttp import web

from web.access import public
from web.edge import EDGE
from web.event_stream import RETRY, EventStream, stream_events, wait_for
from web.products import read_limit
from web.requests import read_query
from web.top_board import TopBoard


@public
async def stream_top_products(request: web.Request) -> web.StreamResponse:
    """Send the best sellers, and send them again whenever they have changed.

    A viewer that names the present state in `Last-Event-ID` has it already.
    """
    limit = read_limit(read_query(request, "limit"))
    board = request.app[EDGE].board
    with board.viewed_by(request.protocol):
        return await stream_events(request, partial(_show, board, limit))


async def _show(board: TopBoard, limit: int, stream: EventStream) -> None:
    seen = stream.seen
    text = RETRY
    while not (board.is_closing or stream.is_gone):
        changed = board.next_change()
        event = board.shown.event(limit) if board.shown else None
        if event is not None and event.id != seen:
            seen = event.id
            text += event.text
        if text:
            await stream.send(text)
        text = await wait_for(changed)
