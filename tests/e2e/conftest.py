"""One Fairline for all tests from end to end: in processes, on real services, or embedded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest
import pytest_asyncio

from tests.installation import install
from tests.street import Street, Visitor, opened

# No two tests of a run share a user, a product or a coupon code.
_numbers = count(1_000)


@pytest.fixture
def new_id() -> Callable[[], int]:
    """Call it for a user id or product id that no other test has."""
    return lambda: next(_numbers)


@pytest.fixture(scope="session")
def real_street(
    kafka_url: str,
    redis_url: str,
    new_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Street]:
    """An edge, a worker and a ranking worker on Kafka, PostgreSQL and Redis."""
    made = install(kafka_url, new_database(), tmp_path_factory.mktemp("real"), redis_url=redis_url)
    with opened(asyncio.run(made), "edge", "worker", "ranking") as street:
        yield street


@pytest.fixture(scope="session")
def embedded_street(kafka_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """What `fairline run` starts: an edge that works too, and a ranking worker, on SQLite."""
    folder = tmp_path_factory.mktemp("embedded")
    made = install(kafka_url, f"sqlite:///{folder}/fairline.db", folder)
    with opened(asyncio.run(made), "edge with worker", "ranking") as street:
        yield street


@pytest_asyncio.fixture
async def real(real_street: Street) -> AsyncIterator[Visitor]:
    """A visitor of the street on real services."""
    async with real_street.visitor() as visitor:
        yield visitor


@pytest.fixture(params=["real", "embedded"])
def street(request: pytest.FixtureRequest) -> Street:
    """Both streets, one after the other."""
    found: Street = request.getfixturevalue(f"{request.param}_street")
    return found


@pytest_asyncio.fixture
async def visitor(street: Street) -> AsyncIterator[Visitor]:
    """A visitor of both streets, one after the other."""
    async with street.visitor() as visitor:
        yield visitor
