"""Every request has an id: the client's own if it is sane, else a new one.

It comes back as `X-Request-Id` on every answer, stands in the problems that this edge makes and in
each line that is logged while the request is under way.
"""

import re
from random import getrandbits

from aiohttp import web

from streams.request_id import REQUEST_ID

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}", re.ASCII).fullmatch
_KEY = web.RequestKey("request_id", str)


def request_id_of(request: web.BaseRequest) -> str:
    """Return the id of a request, the same each time."""
    found: str | None = request.get(_KEY)
    if found is None:
        found = read_request_id(request.headers.get(HEADER)) or new_request_id()
        request[_KEY] = found
    return found


def read_request_id(sent: str | None) -> str | None:
    """Return what a client sent, if it is sane."""
    return sent if sent is not None and _SANE(sent) else None


def new_request_id() -> str:
    """Make an id; it is no secret."""
    return f"{getrandbits(64):016x}"


def begin_request(request: web.Request) -> str:
    """Let whatever is logged from here on carry the id of this request."""
    request_id = request_id_of(request)
    REQUEST_ID.set(request_id)
    return request_id
