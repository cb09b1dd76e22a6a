"""Fixtures for all tests: the real Kafka, PostgreSQL and Redis, each started when first used."""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.urls import without_password
from tests import services

# A shell that puts `make test` in the background has it ignore Ctrl-C, and whoever is started
# inherits that: tests that interrupt a process would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kafka_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real Kafka; tests share it, so each takes its own topic prefix."""
    with services.real_service("KAFKA", tmp_path_factory.mktemp("kafka")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server, by the URL of its own first database."""
    with services.real_service("DATABASE", tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis-compatible server."""
    with services.real_service("REDIS", tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def new_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Call it for the URL of an empty PostgreSQL database; all are dropped at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{secrets.token_hex(6)}")
        _execute(postgres_url, f"CREATE DATABASE {made[-1]}")
        return urlsplit(postgres_url)._replace(path=f"/{made[-1]}").geturl()

    yield make
    for name in made:
        _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[], str]) -> str:
    """An empty PostgreSQL database for the tests of one file."""
    return new_database()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test's topics and groups have."""
    return f"t{secrets.token_hex(4)}-"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell says of Fairline must not decide how a test ends."""
    for name in list(os.environ):
        if name.startswith("FAIRLINE_") and not name.startswith("FAIRLINE_TEST_"):
            monkeypatch.delenv(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the real services that the tests ran on."""
    named = ", ".join(
        f"{product} at {without_password(url)}" for product, url in services.used.items()
    )
    terminalreporter.write_line(f"real services: {named or 'none used'}")


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())
