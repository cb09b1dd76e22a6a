"""Refuses commands before HTTP is taken apart, while more come than can be served.

A refusal by the usual way costs an edge half of what a command costs it, so that a crowd of three
times the capacity would get it to do nothing but refuse. Here it costs some microseconds. What is
not plain, as a command with a key or a token, takes the usual way, and is told the same.
"""

import re
import time
from collections.abc import Callable
from email.utils import formatdate

import msgspec
from aiohttp import web

from streams import wire
from streams.metrics import REQUESTS
from streams.outcomes import problem
from web.answers import SECURITY_HEADERS
from web.command_path import TOO_MANY_WAITING
from web.operations import OPERATIONS
from web.problems import PROBLEM_JSON
from web.request_ids import new_request_id, read_request_id
from web.requests import BODY_BYTES_MAX
from web.routes import ROUTES

Refusing = Callable[[wire.Shape], int | None]
"""Tells the seconds to come back after; None where the command is to be read and submitted."""

_BODY = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,6})[ \t]*(?=\r\n)", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-request-id:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
# Who says more than what and how long is read in full.
_NOT_PLAIN = re.compile(
    rb"\r\n(?:authorization|connection|expect|idempotency-key|prefer|transfer-encoding"
    rb"|content-encoding|traceparent|upgrade):",
    re.IGNORECASE,
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
_REFUSAL = problem(429, "TOO_MANY_WAITING", TOO_MANY_WAITING).body[:-1]
_FIXED = "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS.items())

SHORTCUT: web.AppKey[Refusing] = web.AppKey("SHORTCUT")


def refuse_at_once(data: bytes, refusing: Refusing) -> bytes | None:
    """Answer a whole request with its refusal; None where it is to be read as any other."""
    known = _COMMANDS.get(data[: data.find(b"\r\n")])
    end = data.find(_BODY)
    if known is None or end < 0 or len(data) > BODY_BYTES_MAX:
        return None
    head, body = data[: end + 2], data[end + len(_BODY) :]
    lengths = _LENGTH.findall(head)
    if len(lengths) != 1 or int(lengths[0]) != len(body) or _NOT_PLAIN.search(head):
        return None
    decode, path = known
    try:
        payload: wire.Shape = decode(body)
    except _DecodeErrors:
        return None
    seconds = refusing(payload)
    if seconds is None:
        return None
    REQUESTS.labels("POST", path, 429).inc()
    return _answer(head, seconds)


def _answer(head: bytes, seconds: int) -> bytes:
    sent = _ID.search(head)
    text = sent[1].decode("latin-1") if sent else None
    request_id = read_request_id(text) or new_request_id()
    body = _REFUSAL + f',"requestId":"{request_id}"}}'.encode()
    told = (
        f"HTTP/1.1 429 Too Many Requests\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"Retry-After: {seconds}\r\nX-Request-Id: {request_id}\r\n{_FIXED}"
        f"Content-Length: {len(body)}\r\nDate: {_date(int(time.time()))}\r\n\r\n"
    )
    return told.encode() + body


def _date(second: int) -> str:
    """Return the time as HTTP writes it; made once in a second."""
    if _last[0] != second:
        _last[0], _last[1] = second, formatdate(second, usegmt=True)
    return str(_last[1])


_last: list[int | str] = [0, ""]
