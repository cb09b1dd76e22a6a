"""The board that viewers of the live ranking look at: made once for each change, for all of them.

It is kept current while somebody looks, and costs nothing while nobody does.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import NamedTuple

from aiohttp import web

from domain.ranking import TOP_MAX
from streams.stopping import check_stopping
from web.best_sellers import show_top
from web.catalog import LIFE_SECONDS, Catalog
from web.problems import STOPPING, UnavailableError
from web.shapes import TopProducts, encode
from web.top_lists import LiveTop

log = logging.getLogger(__name__)

Viewer = web.RequestHandler
"""The connection of a viewer; it has no transport any more once the client has left."""

# Several ranking workers publish one after the other: without a pause every viewer would be sent
# each of their lists. A change is still seen within a second of its payment.
PAUSE_SECONDS = 0.2
# Names and prices change without a sale; they are looked at as often as the catalog forgets.
LOOK_SECONDS = LIFE_SECONDS
FULL = "This edge has as many viewers of the ranking as it may have."


class BoardEvent(NamedTuple):
    """The best sellers as one server-sent event; the same content has the same id, everywhere."""

    id: str
    text: bytes


class Shown:
    """One state of the board; its events are encoded once for each limit."""

    def __init__(self, top: TopProducts) -> None:
        self._top = top
        self._events: dict[int, BoardEvent] = {}

    def event(self, limit: int) -> BoardEvent:
        """Return the event for viewers of so many places."""
        event = self._events.get(limit)
        if event is None:
            event = self._events[limit] = event_of(first_places(self._top, limit))
        return event


def first_places(top: TopProducts, limit: int) -> TopProducts:
    """Return the places up to a rank."""
    places = [product for product in top.products if product.rank <= limit]
    return TopProducts(places, top.as_of, top.window)


def event_of(top: TopProducts) -> BoardEvent:
    """Make the event of a state. Its id says nothing of `asOf`: a later look is no change."""
    content = encode((top.products, top.window))
    event_id = blake2b(content, digest_size=8).hexdigest()
    return BoardEvent(
        event_id, b"event: top\nid: %b\ndata: %b\n\n" % (event_id.encode(), encode(top))
    )


class TopBoard:
    """Shows the best sellers to everybody who looks, and tells them of each change."""

    def __init__(self, top_lists: LiveTop, catalog: Catalog, viewers_max: int) -> None:
        self._top_lists = top_lists
        self._catalog = catalog
        self._viewers_max = viewers_max
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._fault = ""
        self.shown: Shown | None = None
        """What is on the board; None until there is something true to say."""
        self.is_closing = False

    @property
    def viewers(self) -> int:
        """How many look at the board."""
        return len(self._viewers)

    @contextmanager
    def viewed_by(self, viewer: Viewer) -> Iterator[None]:
        """Keep the board current for a viewer; raises UnavailableError for one too many."""
        if self.is_closing:
            raise UnavailableError(STOPPING)
        if len(self._viewers) >= self._viewers_max:
            raise UnavailableError(FULL)
        self._viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._keep_current())
        try:
            yield
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._stop()

    def next_change(self) -> asyncio.Event:
        """Return what is set at the next change; ask for it before you look at the board."""
        return self._changed

    def close(self) -> None:
        """Let every stream end at once; whoever does not read any more is cut off."""
        self.is_closing = True
        self._tell_all()
        for viewer in self._viewers:
            if viewer.transport is not None and viewer.transport.get_write_buffer_size():
                viewer.transport.abort()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None
        # Whoever comes next must not see what was true when the last one left.
        self.shown = None

    async def _keep_current(self) -> None:
        while True:
            changed = self._top_lists.next_change()
            try:
                await self._look()
                self._fault = ""
            except Exception as error:
                check_stopping(error)
                self._note(error)
            self._wake_the_gone()
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await changed.wait()

    async def _look(self) -> None:
        if not self._top_lists.ready:
            return
        top = await show_top(self._catalog, self._top_lists.top(TOP_MAX))
        shown = Shown(top)
        before = self.shown
        if before is None or shown.event(TOP_MAX).id != before.event(TOP_MAX).id:
            self.shown = shown
            self._tell_all()

    def _wake_the_gone(self) -> None:
        """Wake the streams where a client has left; the server does not tell their handlers."""
        if any(viewer.transport is None for viewer in self._viewers):
            self._tell_all()

    def _tell_all(self) -> None:
        told, self._changed = self._changed, asyncio.Event()
        told.set()

    def _note(self, error: Exception) -> None:
        if repr(error) != self._fault:
            log.warning("the board of best sellers stays as it is: %r", error)
        self._fault = repr(error)
