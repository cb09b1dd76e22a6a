"""Refuses requests before HTTP is taken apart, while more come than can be served.

A refusal by the usual way costs an edge half of what a command costs it, so that a crowd of three
times the capacity would get it to do nothing but refuse. Here it costs some microseconds. What is
not plain takes the usual way.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from streams import wire
from streams.codec import principal_of
from streams.metrics import REFUSED, REQUESTS
from streams.outcomes import problem
from web.answers import SECURITY_HEADERS
from web.in_flight import FULL, RETRY_SECONDS
from web.operations import OPERATIONS
from web.problems import PROBLEM_JSON, TOO_MANY_WAITING
from web.request_ids import HEADER, new_request_id, read_request_id
from web.requests import BODY_BYTES_MAX
from web.routes import ROUTES

_BODY = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,6})[ \t]*(?=\r\n)", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-request-id:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
_TOKEN = re.compile(rb"\r\nauthorization:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
# Who says more than what and how long is read in full.
_NOT_PLAIN = re.compile(
    rb"\r\n(?:connection|expect|transfer-encoding|content-encoding|upgrade):", re.IGNORECASE
)
_DecodeErrors = (msgspec.DecodeError, ValueError, RecursionError)
# By the first line of a request: how its body is read, and its route.
_COMMANDS = {
    f"POST {route.path} HTTP/1.1".encode(): (msgspec.json.Decoder(body).decode, route.path)
    for route in ROUTES
    if route.method == "POST"
    and (operation := OPERATIONS.get(route.handler)) is not None
    and (body := operation.body) is not None
}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What an edge says of requests that come while others wait to be let in."""

    refusal_seconds: Callable[[wire.Shape, str, int], int | None]
    """Of a command, of who asks, and of how many wait: the seconds to come back after, or None."""
    waiting_max: int
    """With so many before it, whatever else comes is refused too."""


SHORTCUT: web.AppKey[Shortcut] = web.AppKey("SHORTCUT")


class _Head(NamedTuple):
    """A plain request, up to its body."""

    length: int
    decode: Callable[[bytes], Any] | None
    path: str
    request_id: str | None
    who: str
    """Whose token it bears, as a number; empty without one."""


class _Refusal(NamedTuple):
    """What stands in every answer of one kind, around what differs."""

    status: int
    first_line: str
    body: bytes


def _refusal(status: int, phrase: str, code: str, detail: str) -> _Refusal:
    first_line = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {PROBLEM_JSON}\r\n"
    return _Refusal(status, first_line, problem(status, code, detail).body[:-1])


_CROWDED = _refusal(429, "Too Many Requests", "TOO_MANY_WAITING", TOO_MANY_WAITING)
_FULL = _refusal(503, "Service Unavailable", "TOO_MANY_IN_FLIGHT", FULL)
_FIXED = "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS.items())


def refuse_at_once(data: bytes, shortcut: Shortcut, waiting: int) -> bytes | None:
    """Answer a whole request with its refusal; None where it is to be read in its turn."""
    end = data.find(_BODY)
    head = _read_head(data[: end + 2]) if end >= 0 else None
    if head is None or head.length != len(data) - end - len(_BODY):
        return None
    if head.decode is not None:
        try:
            payload: wire.Shape = head.decode(data[end + len(_BODY) :])
        except _DecodeErrors:
            return None
        seconds = shortcut.refusal_seconds(payload, head.who or principal_of(payload), waiting)
        if seconds is not None:
            return _answer(_CROWDED, head, seconds)
    if waiting < shortcut.waiting_max:
        return None
    REFUSED.labels("in flight").inc()
    return _answer(_FULL, head, RETRY_SECONDS)


@lru_cache(1024)
def _read_head(head: bytes) -> _Head | None:
    """Read a head, where that is plain: clients send the same one again and again."""
    first_line = head[: head.find(b"\r\n")]
    lengths = _LENGTH.findall(head)
    length = int(lengths[0]) if lengths else 0
    if len(lengths) > 1 or _NOT_PLAIN.search(head) or len(head) + length > BODY_BYTES_MAX:
        return None
    decode, path = _COMMANDS.get(first_line, (None, ""))
    if decode is None and (lengths or not first_line.startswith(b"GET ")):
        return None
    sent, token = _ID.search(head), _TOKEN.search(head)
    request_id = read_request_id(sent[1].decode("latin-1")) if sent else None
    return _Head(length, decode, path, request_id, str(hash(token[1])) if token else "")


def _answer(refusal: _Refusal, head: _Head, seconds: int) -> bytes:
    if head.path:
        _refused(head.path, refusal.status).inc()
    request_id = head.request_id or new_request_id()
    body = refusal.body + f',"requestId":"{request_id}"}}'.encode()
    told = (
        f"{refusal.first_line}Retry-After: {seconds}\r\n{HEADER}: {request_id}\r\n{_FIXED}"
        f"Content-Length: {len(body)}\r\nDate: {_date(int(time.time()))}\r\n\r\n"
    )
    return told.encode() + body


@lru_cache(64)
def _refused(path: str, status: int) -> Any:
    return REQUESTS.labels("POST", path, status)


@lru_cache(1)
def _date(second: int) -> str:
    """Return the time as HTTP writes it."""
    return formatdate(second, usegmt=True)
