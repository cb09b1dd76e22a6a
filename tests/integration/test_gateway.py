"""The gateway, an edge and a worker as processes that ask who is there, with a kill in between."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer

from app.ingress import ingress_topics
from streams import wire
from streams.admin import ensure_topics
from streams.codec import encode_command
from tests.edges import until
from tests.installation import Installation, Process
from tests.tokens import AUDIENCE, ISSUER, jwk, jwks, token

COMMANDS = 300


@dataclass(frozen=True)
class Strict:
    """An installation that asks for tokens and stamps."""

    installation: Installation
    stack: AsyncExitStack
    edge: Process

    async def start(self, kind: str, port_name: str) -> Process:
        """Start a worker of a kind, and wait until it is ready."""
        process = self.installation.start("worker", "--kind", kind, port_name=port_name)
        self.stack.callback(process.child.stop, 5)
        await process.ready()
        return process

    async def send(self, topic: str, *values: bytes, key: bytes | None = None) -> None:
        """Append records as a service would."""
        url = self.installation.settings.kafka_url
        name = f"{self.installation.settings.topic_prefix}{topic}"
        async with AIOKafkaProducer(bootstrap_servers=url, acks="all") as producer:
            for sending in [await producer.send(name, value, key=key) for value in values]:
                await sending

    async def balance(self, user_id: int) -> int | None:
        """Ask the database, for no token is at hand here."""
        query = "SELECT balance FROM wallets WHERE user_id = $1"
        rows = await self.installation.query(query, user_id)
        return rows[0][0] if rows else None


@pytest_asyncio.fixture
async def strict(installation: Installation, tmp_path: Path) -> AsyncIterator[Strict]:
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(jwk()))
    asking = installation.with_settings(
        auth="jwt",
        jwt_keys=str(keys),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        ingress="shop=ChargeBalance",
    )
    await ensure_topics(asking.settings.kafka_url, ingress_topics(asking.settings))
    async with AsyncExitStack() as stack:
        edge = asking.start("edge", port_name="http_port")
        stack.callback(edge.child.stop, 5)
        strict = Strict(asking, stack, edge)
        await strict.start("commands", "worker_port")
        yield strict


async def test_what_a_killed_gateway_passed_on_twice_is_done_once(strict: Strict) -> None:
    first = await strict.start("gateway", "gateway_port")
    charges = [encode_command(uuid.uuid4(), wire.ChargeBalance(7, 1)) for _ in range(COMMANDS)]
    await strict.send("ingress-shop", *charges[: COMMANDS // 2])

    async def has_begun() -> bool:
        return bool(await strict.balance(7))

    await until(has_begun, "the first charges")
    first.child.process.kill()
    await first.left()
    await strict.send("ingress-shop", *charges[COMMANDS // 2 :])
    await strict.start("gateway", "gateway_port")

    async def is_done() -> bool:
        return await strict.balance(7) == COMMANDS

    await until(is_done, "all charges")
    applied = "SELECT count(*) FROM command_log WHERE disposition = 'APPLIED'"
    assert await strict.installation.query(applied) == [(COMMANDS,)]
    principals = "SELECT DISTINCT principal FROM command_log"
    assert await strict.installation.query(principals) == [("service:shop",)]


async def test_processes_ask_as_their_settings_say(strict: Strict) -> None:
    await strict.edge.ready()
    async with ClientSession(strict.edge.url) as client:
        assert await charge(client, {}) == (401, "UNAUTHENTICATED")
        assert await charge(client, bearer("8")) == (403, "NOT_YOUR_USER")
        assert (await charge(client, bearer("7")))[0] == 200
    direct = encode_command(uuid.uuid4(), wire.ChargeBalance(7, 10_000))
    await strict.send("user-commands", direct, key=b"7")
    letters = "SELECT reason FROM dead_letters"

    async def is_refused() -> bool:
        return await strict.installation.query(letters) == [("NOT_ALLOWED",)]

    await until(is_refused, "a dead letter")
    assert await strict.balance(7) == 5


def bearer(subject: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(subject)}"}


async def charge(client: ClientSession, headers: dict[str, str]) -> tuple[int, str | None]:
    body = {"userId": 7, "amount": 5}
    async with client.post("/api/v1/balance/charge", json=body, headers=headers) as response:
        told: dict[str, Any] = json.loads(await response.read())
        return response.status, told.get("code")
