"""The limit of open files is raised to what the streams need, and never lowered."""

import logging
import resource
from collections.abc import Iterator

import pytest

from app.open_files import OTHERS, allow_open_files


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """The limits of this process, as they were and will be again."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, found)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_low_limit_is_raised_and_a_high_one_stays(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))
    allow_open_files(100)
    assert soft_limit() == 100 + OTHERS
    allow_open_files(1)
    assert soft_limit() == 100 + OTHERS


def test_what_the_system_refuses_is_told(
    limits: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    if limits[1] == resource.RLIM_INFINITY:
        pytest.skip("this system allows everything")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))
    with caplog.at_level(logging.WARNING):
        allow_open_files(limits[1])
    assert soft_limit() == limits[1]
    assert f"{limits[1] + OTHERS} may be needed" in caplog.text
