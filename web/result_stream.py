"""A user's results as server-sent events: each first outcome once, in whichever edge's hands."""

import logging
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from storage.engine import Database
from storage.results import FirstOutcome, list_outcomes
from streams.stopping import check_stopping
from web.edge import EDGE
from web.event_stream import RETRY, EventStream, stream_events, wait_for
from web.identity import identity_of
from web.problems import InvalidRequestError
from web.requests import read_user_id
from web.result_events import Position, begin_event, event_of, read_position
from web.result_watch import Follower, ResultWatch

log = logging.getLogger(__name__)

# So many rows are read at a time by a client that was away for long.
ROWS_AT_ONCE = 10_000


async def stream_results(request: web.Request) -> web.StreamResponse:
    """Send a user's results as they come, whoever waits for them or does not.

    It begins with the next one, or after the event that `Last-Event-ID` names: what has come in
    between is read from the stored rows, as long as they are kept.
    """
    user_id, identity = read_user_id(request), identity_of(request)
    principal = str(user_id) if identity is None else identity.principal
    edge = request.app[EDGE]
    seen = _read_seen(request.headers.get("Last-Event-ID"))
    with edge.result_watch.followed_by(principal) as follower:
        await edge.result_watch.begun()
        follow = _Following(edge.result_watch, edge.database, follower)
        position = await follow.begin() if seen is None else seen
        return await stream_events(request, partial(follow.run, position))


def _read_seen(text: str | None) -> Position | None:
    if not text:
        return None
    position = read_position(text)
    if position is None:
        raise InvalidRequestError(("Last-Event-ID", "Expected the id of an event of this stream"))
    return position


class _Following:
    """One client on its way through the outcomes of its principal."""

    def __init__(self, watch: ResultWatch, database: Database, follower: Follower) -> None:
        self._watch = watch
        self._database = database
        self._follower = follower

    async def begin(self) -> Position:
        """Return the place after all that is seen now."""
        settled = self._watch.settled
        outcomes = await self._list(settled)
        return Position(settled, frozenset(outcome.row_id for outcome in outcomes))

    async def run(self, position: Position, stream: EventStream) -> None:
        """Tell all that comes after a place, until the client or the edge leaves."""
        try:
            await self._run(position, stream)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            check_stopping(error)
            # The client comes again in a second, and goes on from where it was.
            log.warning("a stream of results ends: %r", error)

    async def _run(self, position: Position, stream: EventStream) -> None:
        text = RETRY + begin_event(position)
        async for outcome, settled in self._missed(position):
            if not position.knows(outcome.row_id):
                position = position.after(outcome.row_id, settled)
                await stream.send(text + event_of(outcome, position))
                text = b""
        while not (self._watch.is_closing or self._follower.is_behind or stream.is_gone):
            for outcome, settled in self._follower.take():
                if not position.knows(outcome.row_id):
                    position = position.after(outcome.row_id, settled)
                    text += event_of(outcome, position)
            if text:
                await stream.send(text)
            text = await wait_for(self._follower.changed)

    async def _missed(self, position: Position) -> AsyncIterator[tuple[FirstOutcome, int]]:
        """List what has come since, each with the row up to which all is told once it is told."""
        after, settled = position.settled, self._watch.settled
        while after < settled:
            up_to = min(after + ROWS_AT_ONCE, settled)
            for outcome in await self._list(after, up_to):
                yield outcome, outcome.row_id
            after = up_to
        for outcome in await self._list(after):
            yield outcome, after

    async def _list(self, after: int, *up_to: int) -> list[FirstOutcome]:
        async with self._database.connect() as connection:
            return await list_outcomes(connection, [self._follower.principal], after, *up_to)
