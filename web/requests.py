"""Reads what a client sent; whatever is not as documented ends the request with a 400."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import TypeVar
from uuid import UUID, uuid5

import msgspec
from aiohttp import web

from domain.ids import UserId
from streams import wire
from streams.command_ids import new_command_id
from streams.kinds import merge_items
from streams.metrics import REFUSED
from web.field_errors import find_field_errors, readable
from web.identity import identity_of, require_own
from web.paging import LIMIT_DEFAULT, LIMIT_MAX, PAGE, Cursors, Page
from web.preferences import WAIT_SECONDS_MAX
from web.problems import InvalidRequestError, ProblemError

BODY_BYTES_MAX = 64 * 1024
# Who sends 64 KiB more slowly than that holds a connection to hold it.
BODY_SECONDS_MAX = 10.0

_DecodeErrors = (msgspec.DecodeError, ValueError, RecursionError)
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY_HEADER = "Idempotency-Key"
# Commands that come with a key have an id made of it; the name space is Fairline's own.
_KEYED_COMMANDS = UUID("6f1f7ad5-5b0c-5d7e-9a38-0d7c2b7c3a11")

S = TypeVar("S", bound=wire.Shape)
K = TypeVar("K", bound=tuple[int | str, ...])


@lru_cache
def _decoder(shape: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(shape)


async def read_body(request: web.Request, shape: type[S]) -> S:
    """Read a JSON body of this shape. Every field that is wrong is told, not only the first."""
    kind = request.headers.get("Content-Type")
    if kind is not None and kind != "application/json" and not _JSON_TYPE.match(kind.strip()):
        detail = "Send the body as application/json."
        raise ProblemError(415, "UNSUPPORTED_MEDIA_TYPE", detail)
    return decode_body(await _read(request), shape)


async def _read(request: web.Request) -> bytes:
    # Nearly always the body came with its head, and needs no clock.
    if request.content.is_eof():
        return await request.read()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await request.read()
    except TimeoutError:
        REFUSED.labels("slow body").inc()
        closed = {"Connection": "close"}
        detail = f"The body did not come within {BODY_SECONDS_MAX:g} s; nothing was accepted."
        raise ProblemError(408, "REQUEST_TIMEOUT", detail, headers=closed) from None


def decode_body(raw: bytes, shape: type[S]) -> S:
    """Decode a JSON body of this shape; raises InvalidRequestError with every field error."""
    try:
        payload: S = _decoder(shape).decode(raw)
        if isinstance(payload, wire.CreateOrder):
            merge_items(payload.items)
    except _DecodeErrors as error:
        raise _invalid_body(raw, shape, error) from error
    return payload


def _invalid_body(raw: bytes, shape: type[S], error: Exception) -> InvalidRequestError:
    try:
        value = msgspec.json.decode(raw)
    except _DecodeErrors:
        return InvalidRequestError(("body", f"Expected JSON: {readable(error)}"))
    # A body that fits its shape is refused for its merged lines.
    found = find_field_errors(shape, value) or [("items", readable(error))]
    return InvalidRequestError(*found)


def read_query(request: web.Request, *names: str) -> dict[str, str]:
    """Read the query parameters; each of these at most once, and no others."""
    query = request.query
    errors = [(name, "Unknown parameter") for name in query.keys() - set(names)]
    errors += [(n, "Given more than once") for n in names if len(query.getall(n, ())) > 1]
    if errors:
        raise InvalidRequestError(*errors)
    return dict(query)


def read_user_id(request: web.Request, *others: str) -> UserId:
    """Read the query parameter `userId`: whose. With a token it is the token's, or a 403.

    There may be these other parameters, and no more.
    """
    text = read_query(request, "userId", *others).get("userId")
    if text is None:
        identity = identity_of(request)
        if identity is not None and identity.user_id is not None:
            return identity.user_id
        raise InvalidRequestError(("userId", "Required"))
    user_id = read_number("userId", text, wire.INT64_MAX)
    require_own(request, user_id)
    return UserId(user_id)


def read_users_page(request: web.Request, cursors: Cursors[K]) -> tuple[UserId, Page[K]]:
    """Read whose list is asked for, and which page of it."""
    user_id = read_user_id(request, *PAGE)
    query = request.query
    return user_id, cursors.read(query, read_page_limit(query))


def read_number(name: str, text: str, most: int) -> int:
    """Read a whole number from 1 to `most`, in plain digits."""
    return _read_whole(name, text, 1, most)


def read_page_limit(query: Mapping[str, str]) -> int:
    """Read how many rows a page of a list is to have at most."""
    return _read_whole("limit", query.get("limit", str(LIMIT_DEFAULT)), 1, LIMIT_MAX)


def read_wait(query: Mapping[str, str]) -> int:
    """Read how many seconds a client would wait; without a word it would not."""
    return _read_whole("wait", query.get("wait", "0"), 0, WAIT_SECONDS_MAX)


def _read_whole(name: str, text: str, least: int, most: int) -> int:
    if _WHOLE_NUMBER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    raise InvalidRequestError((name, f"Expected a whole number from {least} to {most}"))


def read_date(name: str, text: str) -> date:
    """Read a calendar day, as `2026-11-23`."""
    if _DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise InvalidRequestError((name, "Expected a date such as 2026-11-23"))


def read_idempotency_key(request: web.Request) -> str | None:
    """Read the `Idempotency-Key`, bare or as a quoted string (IETF draft); None without one."""
    values = request.headers.getall(_KEY_HEADER, ())
    if not values:
        return None
    text = values[0].strip()
    if quoted := _QUOTED.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    if len(values) > 1 or not _KEY.fullmatch(text):
        message = "Expected one key of 1 to 255 visible characters"
        raise InvalidRequestError((_KEY_HEADER, message))
    return text


def command_id_of(request: web.Request, principal: str, key: str | None) -> UUID:
    """Make the id of a command: a new one, or always the same for a principal, route and key."""
    if key is None:
        return new_command_id()
    return uuid5(_KEYED_COMMANDS, f"{principal}\n{request.method} {request.path}\n{key}")
