"""A worker that starts does not wait for what nobody will do."""

import asyncio

import pytest
from faust.tables.manager import TableManager

from app.services.ports import free_port
from streams.log_reader import LogReader
from streams.records import Partition
from tests.client import SECONDS_MAX
from tests.installation import Installation
from tests.integration.test_ranking import ranking


async def sleep_for_ever(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def _sleepless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sleeps before tables begin never wakes."""
    monkeypatch.setattr(TableManager, "sleep", sleep_for_ever)


@pytest.mark.usefixtures("_sleepless")
async def test_a_command_worker_sleeps_for_no_tables(installation: Installation) -> None:
    async with installation.worker():
        pass


@pytest.mark.usefixtures("_sleepless")
async def test_a_ranking_worker_has_its_table_before_it_starts(
    installation: Installation,
) -> None:
    async with ranking(installation, free_port()):
        pass


async def bounds_at(installation: Installation, pause_seconds: float) -> dict[Partition, range]:
    """Ask as a worker does, with such a pause after whatever goes wrong."""
    reader = LogReader(installation.settings.kafka_url)
    await reader.start()
    try:
        assert reader._consumer is not None
        reader._consumer._fetcher._retry_backoff = pause_seconds
        return await asyncio.wait_for(reader.bounds(installation.command_partitions), SECONDS_MAX)
    finally:
        await reader.stop()


async def test_topics_that_nobody_asked_about_before_are_asked_about_at_once(
    installation: Installation,
) -> None:
    # A new partition's leader does not know it for a moment, and that is a reason to pause.
    empty = await bounds_at(installation, 0.1)
    assert empty == dict.fromkeys(installation.command_partitions, range(0))
    assert await bounds_at(installation, 3_600) == empty
