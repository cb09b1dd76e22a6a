"""Fixtures of the tests that run workers on real services."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.installation import Installation, install


@pytest.fixture
def own_database_url(new_database: Callable[[], str]) -> str:
    """An empty PostgreSQL database for one test."""
    return new_database()


@pytest_asyncio.fixture
async def installation(kafka_url: str, own_database_url: str, tmp_path: Path) -> Installation:
    """Topics and a database that nobody else has; nothing runs yet."""
    return await install(kafka_url, own_database_url, tmp_path)
