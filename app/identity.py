"""Who may act, by the settings: nobody but holders of tokens, or whoever reaches this machine."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.services.errors import StartError, one_line
from app.settings import Settings
from web.identity import Identifier

if TYPE_CHECKING:
    from web.tokens import KeySource


def require_identity(settings: Settings) -> None:
    """StartError where an edge would let strangers act as anybody, or could check no token."""
    if settings.auth == "jwt":
        identifier_of(settings)
    elif not (is_loopback(settings.http_host) or settings.auth_none_beyond_loopback):
        message = (
            f"without authentication whoever reaches {settings.http_host} may act as anybody:"
            " set FAIRLINE_AUTH=jwt, or say FAIRLINE_AUTH_NONE_BEYOND_LOOPBACK=true as well"
        )
        raise StartError(message)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches that address. A name is not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def identifier_of(settings: Settings) -> Identifier | None:
    """Make what checks tokens; None without authentication. StartError where it cannot be."""
    if settings.auth == "none":
        return None
    _require(settings, "jwt_keys", "jwt_issuer", "jwt_audience")
    # A second for the cryptography, that whoever needs no tokens does not spend.
    from web.tokens import TokenRules, Tokens  # noqa: PLC0415

    rules = TokenRules(
        algorithms=tuple(settings.jwt_algorithms.split(",")),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        admin_scope=settings.jwt_admin_scope,
        leeway_seconds=settings.jwt_leeway_seconds,
    )
    return Tokens(rules, _source_of(settings.jwt_keys, rules.algorithms))


def _require(settings: Settings, *names: str) -> None:
    if missing := [f"FAIRLINE_{name.upper()}" for name in names if not getattr(settings, name)]:
        message = f"FAIRLINE_AUTH=jwt needs {', '.join(missing)}"
        raise StartError(message)


def _source_of(place: str, algorithms: tuple[str, ...]) -> "KeySource":
    from web.key_url import KeyUrl, fetch_document  # noqa: PLC0415
    from web.token_keys import KeyFile  # noqa: PLC0415

    if "://" in place:
        url = urlsplit(place)
        if url.scheme != "https" and not (
            url.scheme == "http" and is_loopback(url.hostname or "")
        ):
            message = "FAIRLINE_JWT_KEYS: keys come by https, or from a file"
            raise StartError(message)
        return KeyUrl(lambda: fetch_document(place), algorithms)
    try:
        return KeyFile(Path(place), algorithms)
    except (OSError, ValueError) as error:
        message = f"FAIRLINE_JWT_KEYS: {place}: {one_line(error)}"
        raise StartError(message) from None
