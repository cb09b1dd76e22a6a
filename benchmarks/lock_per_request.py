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
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks import peer_tables as tables

BALANCE_MAX = 10_000_000
LOCK_LIFE_MS = 10_000
LOCK_WAIT_SECONDS = 2.0
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"
ENGINE = web.AppKey("engine", AsyncEngine)


class Charge(msgspec.Struct, rename="camel"):
    """The body of a charge."""

    user_id: int
    amount: int


class Issue(msgspec.Struct, rename="camel"):
    """The body of a coupon issue."""

    user_id: int
    coupon_code: str


class Refused(Exception):  # noqa: N818  (A refusal is an answer here, not an error.)
    """The request was understood and is refused; the transaction is rolled back."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


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


async def charge(request: web.Request) -> web.Response:
    """Charge a wallet in one transaction that holds the wallet's row."""
    body = msgspec.json.decode(await request.read(), type=Charge)
    try:
        balance = await _charge_once(request.app[ENGINE], body)
    except exc.IntegrityError:
        # Two first charges of one user met: the other one has made the row, so it can be held.
        balance = await _charge_once(request.app[ENGINE], body)
    return _answer({"userId": body.user_id, "chargedAmount": body.amount, "balance": balance})


async def _charge_once(engine: AsyncEngine, body: Charge) -> int:
    async with engine.begin() as connection:
        wallet = {"wallet_user_id": body.user_id}
        found = (await connection.execute(tables.HOLD_WALLET, wallet)).scalar_one_or_none()
        balance = (found or 0) + body.amount
        if balance > BALANCE_MAX:
            raise Refused(400, "BALANCE_LIMIT_EXCEEDED")
        if found is None:
            row = {"user_id": body.user_id, "balance": balance}
            await connection.execute(tables.ADD_WALLET, row)
        else:
            await connection.execute(tables.SET_BALANCE, {**wallet, "balance": balance})
        entry = {"user_id": body.user_id, "amount": body.amount, "balance_after": balance}
        await connection.execute(tables.ADD_CHARGE, entry)
    return balance


async def issue(request: web.Request) -> web.Response:
    """Issue a coupon under its lock; 429 where the lock could not be had."""
    body = msgspec.json.decode(await request.read(), type=Issue)
    lock = request.app[LOCK]
    token = await lock.take(body.coupon_code)
    if token is None:
        raise Refused(429, "TOO_MANY_WAITING")
    try:
        number = await _issue_locked(request.app[ENGINE], body)
    finally:
        await lock.give_back(body.coupon_code, token)
    return _answer({"userId": body.user_id, "couponCode": body.coupon_code, "number": number})


async def _issue_locked(engine: AsyncEngine, body: Issue) -> int:
    async with engine.begin() as connection:
        code = {"code": body.coupon_code}
        coupon = (await connection.execute(tables.FIND_COUPON, code)).one_or_none()
        if coupon is None:
            raise Refused(404, "COUPON_NOT_FOUND")
        own = {"own_coupon_id": coupon.coupon_id, "own_user_id": body.user_id}
        if (await connection.execute(tables.HAS_COUPON, own)).scalar_one():
            raise Refused(409, "COUPON_ALREADY_ISSUED")
        if coupon.issued >= coupon.total:
            raise Refused(409, "COUPON_SOLD_OUT")
        number: int = coupon.issued + 1
        row = {"coupon_id": coupon.coupon_id, "user_id": body.user_id, "number": number}
        await connection.execute(tables.ADD_USER_COUPON, row)
        await connection.execute(tables.RAISE_ISSUED, {"id": coupon.coupon_id})
    return number


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
    app[ENGINE] = create_async_engine(
        arguments.database, pool_size=arguments.pool, max_overflow=0, pool_timeout=30
    )
    wait_seconds = LOCK_WAIT_SECONDS if arguments.lock == "wait" else 0.0
    app[LOCK] = CouponLock(arguments.redis, wait_seconds, arguments.pause_ms / 1000)
    app.router.add_post("/api/v1/balance/charge", charge)
    app.router.add_post("/api/v1/coupons/issue", issue)
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    await app[LOCK].close()
    await app[ENGINE].dispose()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="The lock-per-request server of the comparison.")
    parser.add_argument("--database", required=True, help="postgresql+asyncpg://...")
    parser.add_argument("--redis", required=True, help="redis://...")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lock", choices=["refuse", "wait"], default="refuse")
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
