"""The peer: a lock and a transaction per request, written as well as its users would write it.

aiohttp, SQLAlchemy on asyncpg and redis-py in one uvloop process. A charge holds its wallet's
row; a coupon is issued under one Redis lock per coupon: lock, find, exists, save, increase,
commit, unlock. Run it with `python -m benchmarks.lock_per_request --help`.
"""

import argparse
import asyncio
import random
import secrets
from typing import Any

import msgspec
import redis.asyncio
import uvloop
from aiohttp import web
from redis.commands.core import AsyncScript
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peer_core import CoreStore
from benchmarks.peer_orm import OrmStore
from benchmarks.peer_shapes import Charge, Issue, Refused, Store

LOCK_LIFE_MS = 10_000
LOCK_WAIT_SECONDS = 2.0
STYLES: dict[str, type[CoreStore | OrmStore]] = {"core": CoreStore, "orm": OrmStore}
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class CouponLock:
    """One Redis lock per coupon code: SET NX PX with a token, compare-and-delete by script."""

    def __init__(self, url: str, wait_seconds: float, pause_seconds: float) -> None:
        self._redis = redis.asyncio.Redis.from_url(url)
        self._unlock: AsyncScript = self._redis.register_script(UNLOCK)
        self._wait_seconds = wait_seconds
        self._pause_seconds = pause_seconds

    async def take(self, code: str) -> str | None:
        """The holder's token, or None where the lock could not be had in time."""
        token = secrets.token_hex(8)
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while not await self._redis.set(f"lock:{code}", token, nx=True, px=LOCK_LIFE_MS):
            # A random pause: waiters in step would all come at once and then all be away.
            pause = self._pause_seconds * random.uniform(0.5, 1.5)
            if asyncio.get_running_loop().time() + pause >= deadline:
                return None
            await asyncio.sleep(pause)
        return token

    async def give_back(self, code: str, token: str) -> None:
        """Unlock, unless the lock has run out and is another's by now."""
        await self._unlock(keys=[f"lock:{code}"], args=[token])

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


LOCK = web.AppKey("lock", CouponLock)
STORE = web.AppKey("store", Store)


async def charge(request: web.Request) -> web.Response:
    """Charge a wallet in one transaction that holds the wallet's row."""
    body = msgspec.json.decode(await request.read(), type=Charge)
    store = request.app[STORE]
    try:
        balance = await store.charge(body)
    except exc.IntegrityError:
        # Two first charges of one user met: the other one has made the row, so it can be held.
        balance = await store.charge(body)
    return _answer({"userId": body.user_id, "chargedAmount": body.amount, "balance": balance})


async def issue(request: web.Request) -> web.Response:
    """Issue a coupon under its lock; 429 where the lock could not be had."""
    body = msgspec.json.decode(await request.read(), type=Issue)
    lock = request.app[LOCK]
    token = await lock.take(body.coupon_code)
    if token is None:
        raise Refused(429, "TOO_MANY_WAITING")
    try:
        number = await request.app[STORE].issue(body)
    finally:
        await lock.give_back(body.coupon_code, token)
    return _answer({"userId": body.user_id, "couponCode": body.coupon_code, "number": number})


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
    """The whole server; its lock's policy and its pool come from the command line."""
    app = web.Application(middlewares=[answer_refusals])
    engine = create_async_engine(
        arguments.database, pool_size=arguments.pool, max_overflow=0, pool_timeout=30
    )
    app[STORE] = STYLES[arguments.style](engine)
    wait_seconds = LOCK_WAIT_SECONDS if arguments.lock == "wait" else 0.0
    app[LOCK] = CouponLock(arguments.redis, wait_seconds, arguments.pause_ms / 1000)
    app.router.add_post("/api/v1/balance/charge", charge)
    app.router.add_post("/api/v1/coupons/issue", issue)
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    await app[LOCK].close()
    await app[STORE].engine.dispose()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="The lock-per-request server of the comparison.")
    parser.add_argument("--database", required=True, help="postgresql+asyncpg://...")
    parser.add_argument("--redis", required=True, help="redis://...")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lock", choices=["refuse", "wait"], default="refuse")
    parser.add_argument("--style", choices=list(STYLES), default="core")
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
