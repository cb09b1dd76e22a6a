"""The client itself: `async with Fairline(url) as fairline`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

import msgspec
from aiohttp import ClientSession, ClientTimeout

from client.errors import OutcomeUnknownError
from client.following import follow
from client.results import (
    Balance,
    BalanceEntry,
    CommandState,
    HeldCoupon,
    LineRecord,
    Order,
    Product,
)
from client.retrying import Retrying
from client.transport import KEY, Request, Transport, refusal_of
from client.writes import Write

R = TypeVar("R")
POLL_SECONDS = 30
# A long poll is answered within its time; who is silent for longer is gone.
SILENCE_SECONDS_MAX = 2 * POLL_SECONDS
_SILENT = ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS_MAX)


class Fairline:
    """One Fairline, by the URL of an edge or of what stands before its edges.

    Requests are repeated as `retrying` says: each write has a key, its own or the one that is
    given, and is done once however often it is sent. `headers` go with every request.
    """

    def __init__(
        self,
        url: str,
        *,
        retrying: Retrying | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/") + "/api/v1/"
        self._retrying = retrying or Retrying()
        self._headers = dict(headers or {})
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        session = ClientSession(self._url, headers=self._headers, timeout=_SILENT)
        self._transport = Transport(session, self._retrying)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.session.close()
        self._transport = None

    async def do(self, write: Write[R], *, key: str | None = None) -> R:
        """Carry out a write and return its outcome; a late one is waited for.

        Raises RefusedError, UnavailableError where nothing was accepted, and OutcomeUnknownError,
        with the key to ask again with.
        """
        key = key or str(uuid4())
        reply = await self._at.ask(_sending(write, key))
        if reply.status != 202:
            return msgspec.json.decode(reply.body, type=write.result)
        state = msgspec.json.decode(reply.body, type=CommandState)
        return await Promise(self, write, key, state.command_id).result()

    async def send(self, write: Write[R], *, key: str | None = None) -> "Promise[R]":
        """Hand a write over, and do not wait for its outcome; what is promised is done."""
        key = key or str(uuid4())
        reply = await self._at.ask(_sending(write, key, prefer="respond-async"))
        return Promise(self, write, key, reply.headers["Command-Id"])

    async def command(self, command_id: str, *, wait_seconds: int = 0) -> CommandState:
        """Ask what became of a command, and wait so long for it at most."""
        query = {"wait": str(wait_seconds)} if wait_seconds else {}
        return await self._get(f"commands/{command_id}", CommandState, query)

    def results(self, user_id: int, *, after: str | None = None) -> AsyncIterator[CommandState]:
        """Follow a user's results as they come; broken connections are made again."""
        path, query = "commands/stream", {"userId": str(user_id)}
        return follow(self._at.session, Request("GET", path, query=query), after)

    async def balance(self, user_id: int) -> int | None:
        """Ask for a user's balance; None where there is none."""
        return (await self._get("balance", Balance, {"userId": str(user_id)})).balance

    async def order(self, user_id: int, order_id: str) -> Order:
        """Ask for a user's order."""
        return await self._get(f"orders/{order_id}", Order, {"userId": str(user_id)})

    def history(self, user_id: int) -> AsyncIterator[BalanceEntry]:
        """List the movements of a user's balance, the newest first."""
        return self._list("balance/history", "entries", BalanceEntry, {"userId": str(user_id)})

    def orders(self, user_id: int) -> AsyncIterator[Order]:
        """List a user's orders, the newest first."""
        return self._list("orders", "orders", Order, {"userId": str(user_id)})

    def coupons(self, user_id: int) -> AsyncIterator[HeldCoupon]:
        """List a user's copies of coupons, the oldest first."""
        return self._list("coupons", "coupons", HeldCoupon, {"userId": str(user_id)})

    def line(self, coupon_code: str) -> AsyncIterator[LineRecord]:
        """List who stood in line for a coupon, in the order of the log."""
        return self._list(f"coupons/{coupon_code}/line", "records", LineRecord, {})

    def products(self) -> AsyncIterator[Product]:
        """List the catalog."""
        return self._list("products", "products", Product, {})

    @property
    def _at(self) -> Transport:
        if self._transport is None:
            message = "a Fairline is used inside of `async with`"
            raise RuntimeError(message)
        return self._transport

    async def _get(self, path: str, kind: type[R], query: Mapping[str, str]) -> R:
        reply = await self._at.ask(Request("GET", path, query=query))
        return msgspec.json.decode(reply.body, type=kind)

    async def _list(
        self, path: str, name: str, kind: type[R], query: Mapping[str, str]
    ) -> AsyncIterator[R]:
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            asked = {**query, "cursor": page["next"]} if page["next"] else query
            page = await self._get(path, dict[str, Any], asked)
            for row in page[name]:
                yield msgspec.convert(row, kind)


def _sending(write: Write[Any], key: str, prefer: str | None = None) -> Request:
    headers = {KEY: key} if prefer is None else {KEY: key, "Prefer": prefer}
    return Request("POST", write.path, headers, write.body)


class Promise(Generic[R]):
    """A write that is in the log for good."""

    def __init__(self, fairline: Fairline, write: Write[R], key: str, command_id: str) -> None:
        self._fairline = fairline
        self._write = write
        self.key = key
        self.command_id = command_id

    async def result(self, *, seconds_max: float = 300.0) -> R:
        """Wait for the outcome; raises RefusedError, or OutcomeUnknownError where it is late."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds_max
        while (left := end - loop.time()) > 0:
            wait_seconds = max(1, min(POLL_SECONDS, int(left)))
            state = await self._fairline.command(self.command_id, wait_seconds=wait_seconds)
            if state.is_done and state.status is not None:
                if state.status < 400:
                    return msgspec.convert(state.body, self._write.result)
                raise refusal_of(state.status, msgspec.json.encode(state.body), self.command_id)
        message = "The outcome is not known yet."
        raise OutcomeUnknownError(202, "PENDING", message, self.command_id, key=self.key)
