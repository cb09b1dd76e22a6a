"""Real services for tests: the environment's, else child processes in a temporary folder."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest
import redis

from app.services.errors import StartError
from app.services.kafka import Kafka
from app.services.ports import free_port
from app.services.postgres import Postgres
from app.services.service import Service, wait_until_answering
from app.services.valkey import Valkey

NAME_TO_CLASS: dict[str, type[Kafka | Postgres | Valkey]] = {
    "KAFKA": Kafka,
    "DATABASE": Postgres,
    "REDIS": Valkey,
}

used: dict[str, str] = {}
"""The URL of each real service that ran, by product and version, for the summary."""


@contextmanager
def real_service(name: str, folder: Path) -> Iterator[str]:
    """The URL of a real KAFKA, DATABASE or REDIS while the block runs."""
    if given := os.environ.get(f"FAIRLINE_TEST_{name}_URL"):
        used[product_at(name, given)] = given
        yield given
        return
    service = NAME_TO_CLASS[name](folder, free_port())
    with running(service):
        used[service.product if name == "KAFKA" else product_at(name, service.url)] = service.url
        yield service.url


def product_at(name: str, url: str) -> str:
    """What answers there, by its own word; brokers do not tell their version."""
    if name == "KAFKA":
        return "Kafka"
    return asyncio.run(_postgresql_at(url)) if name == "DATABASE" else _redis_at(url)


async def _postgresql_at(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
    finally:
        await connection.close()


def _redis_at(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        told: dict[str, str] = client.info("server")
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told['redis_version']}"


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """The service while the block runs; a skip, or in CI a failure, where it cannot be had."""
    try:
        service.prepare()
        child = service.launch()
    except StartError as error:
        do_without(error)
    try:
        wait_until_answering(service, child)
        yield service
    finally:
        child.stop(10)


def do_without(error: StartError) -> NoReturn:
    """On a developer's machine a visible skip; in CI, where all must be there, a failure."""
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))
