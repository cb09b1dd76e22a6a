"""The middleware that lets nobody past a route without what the route asks for."""

from aiohttp import web
from aiohttp.typedefs import Middleware

from web.access import Access, access_of
from web.identity import IDENTITY, REALM, Identifier, UnauthenticatedError
from web.problems import Handler, ProblemError


def authenticating(identifier: Identifier) -> Middleware:
    """Make the middleware that lets nobody past a route without what the route asks for."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        access = access_of(request)
        if access is not Access.PUBLIC:
            identity = await identifier.identify(_token_of(request))
            if access is Access.ADMIN and not identity.is_admin:
                raise _insufficient_scope(identifier.admin_scope)
            request[IDENTITY] = identity
        return await handler(request)

    return authenticate


def _token_of(request: web.Request) -> str:
    values = request.headers.getall("Authorization", ())
    if len(values) > 1:
        said = {"WWW-Authenticate": f'{REALM}, error="invalid_request"'}
        detail = "Send one Authorization header."
        raise ProblemError(400, "INVALID_REQUEST", detail, headers=said, errors=[])
    scheme, _, token = (values[0] if values else "").partition(" ")
    if scheme.lower() != "bearer":
        detail = "Send a token: `Authorization: Bearer ...`."
        raise UnauthenticatedError(detail)
    return token.strip()


def _insufficient_scope(scope: str) -> ProblemError:
    said = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    detail = f"This needs a token with the scope {scope}."
    return ProblemError(403, "INSUFFICIENT_SCOPE", detail, headers={"WWW-Authenticate": said})
