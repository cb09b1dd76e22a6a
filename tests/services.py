"""Real services for tests: the environment's, else child processes in a temporary folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
"""What ran: the product (or the variable that named it) and its URL, for the summary."""


@contextmanager
def real_service(name: str, folder: Path) -> Iterator[str]:
    """The URL of a real KAFKA, DATABASE or REDIS while the block runs."""
    variable = f"FAIRLINE_TEST_{name}_URL"
    if given := os.environ.get(variable):
        used[variable] = given
        yield given
        return
    service = NAME_TO_CLASS[name](folder, free_port())
    with running(service):
        used[service.product] = service.url
        yield service.url


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """The service while the block runs; a skip, or in CI a failure, where it cannot be had."""
    try:
        service.prepare()
        child = service.launch()
    except StartError as error:
        _do_without(error)
    try:
        wait_until_answering(service, child)
        yield service
    finally:
        child.stop(10)


def _do_without(error: StartError) -> None:
    """On a developer's machine a visible skip; in CI, where all must be there, a failure."""
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))
