"""Requests that are sent again where that can help, and problems that become exceptions."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import msgspec
from aiohttp import ClientConnectorError, ClientError, ClientSession

from client.errors import FairlineError, OutcomeUnknownError, RefusedError, UnavailableError
from client.retrying import AGAIN, Retrying

KEY = "Idempotency-Key"


class Reply(NamedTuple):
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Request(NamedTuple):
    """What is asked; a write has a body and a key among its headers."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = {}


# Whoever took no connection has not got the request either.
_NOBODY = Reply(503, {}, b'{"code": "UNREACHABLE", "detail": "The server cannot be reached."}')


class Transport:
    """Sends requests to one Fairline, again and again if need be."""

    def __init__(self, session: ClientSession, retrying: Retrying) -> None:
        self.session = session
        self._retrying = retrying

    async def ask(self, request: Request) -> Reply:
        """Return the answer to a request; raises FairlineError where it is no success.

        Nothing that the server says later can make this a doubt: a write that may have been
        accepted ends in an OutcomeUnknownError.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._retrying.seconds_max
        attempt, in_doubt = 0, False
        while True:
            reply = await self._try(request)
            if reply is not None and reply.status not in AGAIN:
                return _checked(reply)
            in_doubt = in_doubt or _may_have_it(reply)
            told = None if reply is None else reply.headers.get("Retry-After")
            seconds = self._retrying.pause(attempt, told, random.random())  # noqa: S311
            if loop.time() + seconds > end:
                _give_up(request, reply, in_doubt=in_doubt)
            await asyncio.sleep(seconds)
            attempt += 1

    async def _try(self, request: Request) -> Reply | None:
        """Send a request once; None where the connection broke before there was an answer."""
        sending = self.session.request(
            request.method,
            request.path,
            json=request.body,
            headers=request.headers,
            params=request.query,
        )
        try:
            async with sending as response:
                return Reply(response.status, response.headers, await response.read())
        except ClientConnectorError:
            return _NOBODY
        except (ClientError, OSError, TimeoutError):
            return None


def _may_have_it(reply: Reply | None) -> bool:
    return reply is None or _problem(reply).code == "OUTCOME_UNKNOWN"


class _Problem(msgspec.Struct, rename="camel"):
    code: str = "UNREADABLE"
    detail: str = "The server's answer is no problem of RFC 9457."
    command_id: str | None = None


def _problem(reply: Reply) -> _Problem:
    try:
        return msgspec.json.decode(reply.body, type=_Problem)
    except msgspec.DecodeError:
        return _Problem()


def _checked(reply: Reply) -> Reply:
    if reply.status < 400:
        return reply
    raise refusal_of(reply.status, reply.body, reply.headers.get("Command-Id"))


def refusal_of(status: int, body: bytes, command_id: str | None) -> FairlineError:
    """Make the exception of an answer that says no."""
    said = _problem(Reply(status, {}, body))
    return RefusedError(status, said.code, said.detail, said.command_id or command_id)


def _give_up(request: Request, reply: Reply | None, *, in_doubt: bool) -> NoReturn:
    said = _Problem("NO_ANSWER", "The connection broke.") if reply is None else _problem(reply)
    status = 0 if reply is None else reply.status
    key = request.headers.get(KEY)
    if in_doubt and key is not None:
        raise OutcomeUnknownError(status, said.code, said.detail, said.command_id, key=key)
    raise UnavailableError(status, said.code, said.detail, said.command_id)
