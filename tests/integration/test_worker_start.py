"""A worker that starts does not wait for what nobody will do."""

import asyncio

import pytest
from faust.tables.manager import TableManager

from app.services.ports import free_port
from streams.log_reader import LogReader
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


async def test_topics_that_nobody_asked_about_before_are_asked_about_at_once(
    installation: Installation,
) -> None:
    reader = LogReader(installation.settings.kafka_url)
    await reader.start()
    try:
        assert reader._consumer is not None
        # So long it sleeps over each topic that it does not know.
        reader._consumer._fetcher._retry_backoff = 3_600
        bounds = await asyncio.wait_for(reader.bounds(installation.command_partitions), 30)
    finally:
        await reader.stop()
    assert bounds == dict.fromkeys(installation.command_partitions, range(0))
