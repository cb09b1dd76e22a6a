"""The watches: they notice an absence in time, and say so once."""

import asyncio
import logging

import pytest

from streams.service_watch import Watch
from streams.topics import topics_of
from web.lines import Lines


class Service:
    """Answers, fails or hangs, as the test says."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.hangs = False

    async def ask(self) -> None:
        if self.fault:
            raise self.fault
        if self.hangs:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        pass


async def test_an_absence_is_noticed_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    watch = Watch("kafka", service, "Kafka cannot be reached.")
    assert not watch.is_ready
    with caplog.at_level(logging.INFO, logger="streams.service_watch"):
        for fault in (None, None, OSError("away"), OSError("away"), None):
            service.fault = fault
            await watch.ask_once()
            assert watch.is_ready == (fault is None)
    told = [record.getMessage() for record in caplog.records]
    away = "kafka does not answer: OSError('away')"
    assert told == ["kafka answers", away, "kafka answers"]


async def test_a_service_that_hangs_is_away() -> None:
    service = Service()
    watch = Watch("kafka", service, "Kafka cannot be reached.")
    await watch.ask_once()
    service.hangs = True
    await watch.ask_once()
    assert not watch.is_ready


def test_a_result_from_elsewhere_moves_no_line() -> None:
    topics = topics_of("", 2)
    lines = Lines(topics.commands)
    name = topics.user_commands.name
    for _, _, line in lines.items():
        line.see_mark(5, None, 0.0)
    lines.note_applied(name, 1, 7)
    for topic, partition in ((name, 2), ("elsewhere", 0)):
        lines.note_applied(topic, partition, 9)
    moved = {(topic, number): line.next_offset for topic, number, line in lines.items()}
    assert moved.pop((name, 1)) == 8
    assert set(moved.values()) == {5}
