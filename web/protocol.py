"""HTTP as this edge speaks it: slow clients are cut, and what is no request gets a problem.

aiohttp has a clock for connections that are idle, but none for a head that never ends, and tells
a malformed head in plain text, with what was sent in its log. `EdgeRunner` puts that right.
"""

import asyncio
import logging
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from streams.metrics import REFUSED
from streams.outcomes import problem
from web.answers import complete
from web.problems import respond
from web.shortcut import SHORTCUT, Shortcut, refuse_at_once
from web.turnstile import Turnstile

log = logging.getLogger(__name__)

# A head is one packet or two: who takes longer holds a connection to hold it.
HEAD_SECONDS_MAX = 10.0
# Longer than a load balancer keeps its own connections.
IDLE_SECONDS_MAX = 120.0
# Who is answered before his body has come may send so long, and is not listened to.
LINGER_SECONDS_MAX = 2.0
_LINE_END = b" HTTP/1.1\r\n"
_URGENT = (b"GET /livez ", b"GET /readyz ")


class EdgeProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_head_timer", "_is_between", "_shortcut", "_turnstile")

    _head_timer: asyncio.TimerHandle | None
    _shortcut: Shortcut | None
    _turnstile: Turnstile
    # Nothing of a request has come that was not answered.
    _is_between: bool

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a pool's connection may rest before its first request as after any."""
        super().connection_made(transport)
        server = cast("_EdgeServer", self._manager)
        self._shortcut, self._turnstile = server.shortcut, server.turnstile
        self._is_between = True
        self._head_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let in what came, when it is its turn; questions about health do not wait."""
        if not data:
            # The protocol calls itself, to go on with what it has kept.
            super().data_received(data)
        elif self._is_between and data.startswith(_URGENT):
            self.take(data)
        else:
            self._turnstile.enter(self, data)

    def refuse(self, data: bytes, waiting: int) -> bool:
        """Refuse a request at once that would wait too long behind so many others."""
        waiter = self._waiter
        is_asked = self._is_between and waiter is not None and not waiter.done()
        # What comes next is not the beginning of a request, unless this one is done with.
        self._is_between = False
        if not is_asked or self._shortcut is None or self.transport is None:
            return False
        answer = refuse_at_once(data, self._shortcut, waiting)
        if answer is None:
            return False
        self._is_between = True
        self._stop_timer()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self.transport.write(answer)
        return True

    def take(self, data: bytes) -> None:
        """Take what came; where that is less than a head, the rest must come in time."""
        if self.transport is None:
            return
        super().data_received(data)
        waiter = self._waiter
        is_between = waiter is None or not waiter.done()
        is_awaited = is_between and not self._messages and not self._request_in_progress
        # With the beginning of another request behind it, what comes next is not a whole one.
        self._is_between = not is_awaited and data.count(_LINE_END) == 1
        if not is_awaited:
            if self._head_timer is not None:
                self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(HEAD_SECONDS_MAX, self._cut)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP request. What was sent is not logged: it may be a secret."""
        if request.writer.output_size > 0:
            error = "an answer is sent already"
            raise ConnectionError(error) from exc
        if status >= 500:
            log.error("answering failed", exc_info=exc)
            answer = problem(500, "INTERNAL_ERROR", "Something went wrong; it was logged.")
        elif isinstance(exc, LineTooLong):
            detail = "The request line and each header may be 8190 bytes long."
            answer = problem(431, "HEAD_TOO_LARGE", detail)
        else:
            detail = "The request is invalid: it is not HTTP/1.1."
            answer = problem(400, "INVALID_REQUEST", detail)
        REFUSED.labels("no request").inc()
        response = respond(answer)
        complete(request, response.headers)
        response.force_close()
        return response

    def _cut(self) -> None:
        self._head_timer = None
        REFUSED.labels("slow head").inc()
        self.force_close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _EdgeServer(web.Server):
    """Makes the protocol of each connection."""

    shortcut: Shortcut | None
    turnstile: Turnstile

    def __call__(self) -> RequestHandler:
        return EdgeProtocol(self, loop=self._loop, **self._kwargs)


class EdgeRunner(web.AppRunner):
    """Runs an edge. What aiohttp's own runner takes it takes too."""

    async def _make_server(self) -> web.Server:
        self._kwargs.setdefault("keepalive_timeout", IDLE_SECONDS_MAX)
        self._kwargs.setdefault("lingering_time", LINGER_SECONDS_MAX)
        # What is asked for may hold a secret, and requests are counted elsewhere.
        self._kwargs["access_log"] = None
        server = await super()._make_server()
        # aiohttp leaves no other way to a protocol of one's own: it is the same server but for it.
        server.__class__ = _EdgeServer
        ours = cast("_EdgeServer", server)
        ours.shortcut = self.app.get(SHORTCUT)
        ours.turnstile = Turnstile()
        return ours
