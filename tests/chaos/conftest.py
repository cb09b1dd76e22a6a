"""Servers for runs under faults: their own, since they are killed."""

from collections.abc import Iterator

import pytest
import uvloop

from app.services.errors import StartError
from tests.chaos.cluster import Servers
from tests.services import do_without


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Kafka, PostgreSQL and Valkey that may be killed; each run has its own topics on them."""
    started = Servers(tmp_path_factory.mktemp("servers"))
    try:
        uvloop.run(started.start())
    except StartError as error:
        do_without(error)
    yield started
    started.stop()
