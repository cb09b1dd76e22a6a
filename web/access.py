"""Which routes are open to anybody, and which to admins; all others ask for a user's token.

A handler says so itself. Who forgets it has written a route that asks for a token.
"""

from enum import Enum
from typing import TypeVar

from aiohttp import web

H = TypeVar("H")


class Access(Enum):
    """What a route asks for where tokens are asked for at all."""

    PUBLIC = "public"
    USER = "user"
    ADMIN = "admin"


_SAID: dict[object, Access] = {}


def public(handler: H) -> H:
    """Let anybody reach this handler."""
    _SAID[handler] = Access.PUBLIC
    return handler


def admin(handler: H) -> H:
    """Let only admins reach this handler."""
    _SAID[handler] = Access.ADMIN
    return handler


def access_to(handler: object) -> Access:
    """Return what the route of a handler asks for."""
    return _SAID.get(handler, Access.USER)


def access_of(request: web.Request) -> Access:
    """Return what a request's route asks for. That there is no such route anybody may know."""
    match = request.match_info
    return Access.PUBLIC if match.http_exception is not None else access_to(match.handler)
