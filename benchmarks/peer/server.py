"""The peer's server: aiohttp, SQLAlchemy on asyncpg and redis-py in one uvloop process.

Each lock policy has paths of its own: `/wait/api/v1/...`, `/refuse/...` and `/rows/...`. Run it
with `python -m benchmarks.peer.server --help`.
"""

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import msgspec
import redis.asyncio
import uvloop
from aiohttp import web
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.peer.bare import BareStore
from benchmarks.peer.lock import Lock
from benchmarks.peer.mapped import MappedStore
from benchmarks.peer.shapes import (
    Charge,
    CreateOrder,
    Issue,
    PayOrder,
    Refused,
    Store,
    StoreMaker,
)

LOCK_WAIT_SECONDS = 2.0
STYLES: dict[str, StoreMaker] = {"mapped": MappedStore, "bare": BareStore}
Guard = Callable[[str], AbstractAsyncContextManager[None]]

ENGINE = web.AppKey("engine", AsyncEngine)
REDIS = web.AppKey("redis", redis.asyncio.Redis)


class Handlers:
    """The handlers of one lock policy: what they hold is the guard's, what they do the store's."""

    def __init__(self, store: Store, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The paths of ours, below a prefix."""
        return [
            web.post(f"{prefix}/api/v1/balance/charge", self.charge),
            web.post(f"{prefix}/api/v1/coupons/issue", self.issue),
            web.post(f"{prefix}/api/v1/orders", self.create_order),
            web.post(f"{prefix}/api/v1/orders/pay", self.pay_order),
            web.get(f"{prefix}/api/v1/balance", self.balance),
            web.get(f"{prefix}/api/v1/coupons", self.coupons),
        ]

    async def charge(self, request: web.Request) -> web.Response:
        """Charge a wallet in one transaction that holds the wallet's row."""
        body = msgspec.json.decode(await request.read(), type=Charge)
        try:
            balance = await self._store.charge(body)
        except exc.IntegrityError:
            # Two first charges of one user met: the other one has made the row; it can be held.
            balance = await self._store.charge(body)
        return _answer({"userId": body.user_id, "chargedAmount": body.amount, "balance": balance})

    async def issue(self, request: web.Request) -> web.Response:
        """Issue a coupon under its lock."""
        body = msgspec.json.decode(await request.read(), type=Issue)
        async with self._guard(f"coupon:{body.coupon_code}"):
            number = await self._store.issue(body)
        return _answer({"couponCode": body.coupon_code, "userId": body.user_id, "number": number})

    async def create_order(self, request: web.Request) -> web.Response:
        """Price an order; it changes nothing of anybody else, so nothing is locked."""
        body = msgspec.json.decode(await request.read(), type=CreateOrder)
        return _answer(await self._store.create_order(body))

    async def pay_order(self, request: web.Request) -> web.Response:
        """Pay an order under its user's lock: nobody pays twice by a double click."""
        body = msgspec.json.decode(await request.read(), type=PayOrder)
        async with self._guard(f"user:{body.user_id}"):
            payment = await self._store.pay_order(body)
        return _answer(payment)

    async def balance(self, request: web.Request) -> web.Response:
        """A user's balance."""
        user_id = int(request.query["userId"])
        return _answer({"userId": user_id, "balance": await self._store.balance(user_id)})

    async def coupons(self, request: web.Request) -> web.Response:
        """A user's coupons."""
        user_id = int(request.query["userId"])
        return _answer({"userId": user_id, "coupons": await self._store.coupons(user_id)})


def _answer(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


@web.middleware
async def answer_refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    """The one place that turns a refusal into a status."""
    try:
        response: web.StreamResponse = await handler(request)
    except Refused as refused:
        return _answer({"code": refused.code}, refused.status)
    return response


def build(arguments: argparse.Namespace) -> web.Application:
    """The whole server."""
    app = web.Application(middlewares=[answer_refusals])
    app[ENGINE] = create_async_engine(
        arguments.database, pool_size=arguments.pool, max_overflow=0, pool_timeout=30
    )
    app[REDIS] = redis.asyncio.Redis.from_url(arguments.redis)
    make = STYLES[arguments.style]
    store, holding = (make(app[ENGINE], holds_rows=holds) for holds in (False, True))
    wait, refuse = (
        Lock(app[REDIS], seconds, arguments.pause_ms / 1000).held
        for seconds in (LOCK_WAIT_SECONDS, 0.0)
    )
    app.add_routes(Handlers(store, wait).routes("/wait"))
    app.add_routes(Handlers(store, refuse).routes("/refuse"))
    app.add_routes(Handlers(holding, lambda _: nullcontext()).routes("/rows"))
    app.cleanup_ctx.append(_close_at_the_end)
    return app


async def _close_at_the_end(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[REDIS].aclose()
    await app[ENGINE].dispose()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="The lock-per-request server of the comparison.")
    parser.add_argument("--database", required=True, help="postgresql+asyncpg://...")
    parser.add_argument("--redis", required=True, help="redis://...")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--style", choices=list(STYLES), default="mapped")
    parser.add_argument("--pool", type=int, default=32, help="database connections")
    # redis-py's own lock pauses so long by default, and at 64 connections it serves best: waiters
    # that ask every 10 ms leave the holder less than half of the throughput.
    parser.add_argument("--pause-ms", type=float, default=100.0, help="mean pause between tries")
    arguments = parser.parse_args()
    uvloop.install()
    web.run_app(
        build(arguments), host="127.0.0.1", port=arguments.port, access_log=None, print=None
    )


if __name__ == "__main__":
    main()
