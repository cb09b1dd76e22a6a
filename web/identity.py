"""Who asks: the identity of a request, what it may touch, and how a refusal is told (RFC 6750).

Without authentication a request has no identity, and nothing here costs it anything.
"""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from domain.ids import UserId
from domain.principals import principal_of_subject
from web.problems import ProblemError

REALM = 'Bearer realm="fairline"'


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for: `principal` as commands carry it, `user_id` where it is a user."""

    principal: str
    user_id: UserId | None
    is_admin: bool


IDENTITY = web.RequestKey("IDENTITY", Identity)


class Identifier(Protocol):
    """Whoever tells from a token who asks."""

    admin_scope: str

    @property
    def is_ready(self) -> bool:
        """Tell whether tokens can be checked."""
        ...

    async def identify(self, token: str) -> Identity:
        """Return who the token speaks for; raises UnauthenticatedError, or that keys are away."""
        ...

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        ...


class UnauthenticatedError(ProblemError):
    """401: there is no token, or one that is not believed. The reason stays vague on purpose."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        said = REALM if error is None else f'{REALM}, error="{error}"'
        super().__init__(401, "UNAUTHENTICATED", detail, headers={"WWW-Authenticate": said})


def invalid_token() -> UnauthenticatedError:
    """Refuse a token, whatever is wrong with it: an attacker learns nothing from the answer."""
    detail = "The token is expired, not for this service, or not valid."
    return UnauthenticatedError(detail, error="invalid_token")


def identity_of_subject(subject: str, *, is_admin: bool) -> Identity:
    """Make the identity of a token's subject. Raises ValueError for what can be no principal."""
    principal, user_id = principal_of_subject(subject)
    return Identity(principal, user_id, is_admin)


def identity_of(request: web.Request) -> Identity | None:
    """Return who asks; None where nobody is authenticated."""
    return request.get(IDENTITY)


def require_own(request: web.Request, user_id: int) -> None:
    """Raise a 403 unless the user is the one that the token speaks for."""
    identity = identity_of(request)
    if identity is not None and identity.user_id != user_id:
        raise ProblemError(403, "NOT_YOUR_USER", "The userId is not the token's subject.")
