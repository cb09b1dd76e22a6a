"""The table of sales without a broker: Faust's own, or without Faust altogether."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from domain.ranking import TopEntry, merge_tops
from streams.app import FaustSettings
from streams.codec import partition_of
from streams.topics import topics_of
from tables.app import RankingHooks, create_ranking_app
from tables.hourly_values import HourlyValues, WindowedKey, windowed
from tables.live import LiveSales
from tables.sales_table import SalesTable


async def _nothing(*_: Any) -> None:
    """Stand where the worker's hooks are; the app is never started."""


def top_of(live: LiveSales, now_ms: int) -> tuple[TopEntry, ...]:
    """Return the best sellers as a worker would publish them, changed or not."""
    live.mark_changed(live.assignment.partitions)
    return merge_tops(live.take_changed(now_ms))


class PlainTable:
    """The sales table without Faust."""

    def __init__(self) -> None:
        self.by_hour = HourlyValues()

    def put(self, key: str, hour_ms: int, value: bytes) -> None:
        self.by_hour[windowed(key, hour_ms)] = value


class SalesInMemory:
    """A sales table as the worker makes it, and the records of its changelog, which are kept.

    Faust places a write by the stream's current event; here it goes where its key belongs.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        settings = FaustSettings("127.0.0.1:1", "in-memory", "127.0.0.1", 6067, folder)
        hooks = RankingHooks(_nothing, _nothing, _nothing)
        topics = topics_of("in-memory-", partitions)
        self.table: SalesTable = create_ranking_app(settings, topics, ZoneInfo("UTC"), hooks).table
        self.changelog: list[tuple[WindowedKey, bytes]] = []
        self._partitions = partitions
        self.table.partition_for_key = self._partition_for_key
        self.table.send_changelog = self._send_changelog

    def _partition_for_key(self, key: WindowedKey) -> int:
        return partition_of(key[0].encode(), self._partitions)

    def _send_changelog(self, partition: int, key: WindowedKey, value: bytes) -> Any:
        self.changelog.append((key, value))
        return SimpleNamespace(message=SimpleNamespace(partition=partition))
