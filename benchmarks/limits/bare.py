"""The yardsticks for reads: handlers that only answer, or answer after one query.

`python -m benchmarks.limits.bare PORT DATABASE BODY_BYTES` serves until it is stopped. The loop is
the edge's (uvloop), the connections as many; there is nothing else that could be left out.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator

import asyncpg
import uvloop
from aiohttp import web
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.services import driver_url
from storage.schema import wallets

CONNECTIONS_MAX = 10
POOL = web.AppKey("pool", asyncpg.Pool)
ENGINE = web.AppKey("engine", AsyncEngine)
BODY = web.AppKey("body", bytes)
BALANCE = "SELECT balance FROM wallets WHERE user_id = $1"
BALANCE_BY_CORE = select(wallets.c.balance).where(wallets.c.user_id == bindparam("of_user"))


async def answer(request: web.Request) -> web.Response:
    """Only answer."""
    return web.Response(body=request.app[BODY], content_type="application/json")


async def answer_after_query(request: web.Request) -> web.Response:
    """Answer after one query by the driver, without a transaction."""
    user_id = int(request.query["userId"])
    balance = await request.app[POOL].fetchval(BALANCE, user_id)
    return _balance(user_id, balance)


async def answer_after_core(request: web.Request) -> web.Response:
    """Answer after the same query by SQLAlchemy, as its users would write it."""
    user_id = int(request.query["userId"])
    async with request.app[ENGINE].connect() as connection:
        balance = await connection.scalar(BALANCE_BY_CORE, {"of_user": user_id})
    return _balance(user_id, balance)


def _balance(user_id: int, balance: int | None) -> web.Response:
    told = "null" if balance is None else str(balance)
    body = f'{{"userId":{user_id},"balance":{told}}}'.encode()
    return web.Response(body=body, content_type="application/json")


async def _connected(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[POOL].close()
    await app[ENGINE].dispose()


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Spare a round trip: nothing was set."""


async def create_app(database_url: str, body_bytes: int) -> web.Application:
    """Make the three handlers."""
    app = web.Application()
    # By itself the pool asks the server after each query to forget what the query has set.
    app[POOL] = await asyncpg.create_pool(
        database_url, max_size=CONNECTIONS_MAX, reset=_leave_as_it_is
    )
    app[ENGINE] = create_async_engine(
        driver_url(database_url),
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
    )
    app[BODY] = b'{"x":"' + b"x" * max(0, body_bytes - 8) + b'"}'
    app.router.add_get("/bare", answer)
    app.router.add_get("/query", answer_after_query)
    app.router.add_get("/core", answer_after_core)
    app.cleanup_ctx.append(_connected)
    return app


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits.bare")
    parser.add_argument("port", type=int)
    parser.add_argument("database")
    parser.add_argument("body_bytes", type=int)
    told = parser.parse_args()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    app = create_app(told.database, told.body_bytes)
    web.run_app(app, host="127.0.0.1", port=told.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
