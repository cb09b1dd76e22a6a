"""The sales table where it differs from Faust's: values without a stream, expiry, recovery."""

import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.ranking import HOUR_MS, Tally, hour_of
from streams.app import FaustSettings
from streams.topics import topics_of
from tables.app import RankingApp, RankingHooks, changelog_topic, create_ranking_app
from tables.sales_table import StoredHour
from tables.shapes import decode_tally, encode_tally

NOW = time.time_ns() // 1_000_000
TOPICS = topics_of("t-", 4)


async def nothing(*_: Any) -> None:
    """Stand where nothing happens."""


@pytest.fixture
async def ranking(tmp_path: Path) -> RankingApp:
    """The app as the worker makes it, never started."""
    settings = FaustSettings("127.0.0.1:1", "t-ranking", "127.0.0.1", 6067, tmp_path)
    hooks = RankingHooks(nothing, nothing, nothing)
    return create_ranking_app(settings, TOPICS, ZoneInfo("Asia/Seoul"), hooks)


def stored(product_id: int, hours_ago: int) -> StoredHour:
    hour_ms = hour_of(NOW) - hours_ago * HOUR_MS
    return StoredHour(str(product_id), hour_ms, encode_tally(Tally(hours_ago)), 0)


def quantity(ranking: RankingApp, product_id: int, hours_ago: int) -> int:
    hour = hour_of(NOW) - hours_ago * HOUR_MS
    return decode_tally(ranking.sales.relative_to(hour / 1000)[str(product_id)].value()).quantity


async def test_replaced_values_are_found_in_their_hours(ranking: RankingApp) -> None:
    table = ranking.sales.table
    table.replace([stored(1, 70), stored(1, 3)])
    table.replace([stored(1, 3), stored(2, 71)])
    assert [quantity(ranking, 1, hours) for hours in (70, 3, 0)] == [0, 3, 0]
    assert quantity(ranking, 2, 71) == 71
    assert len(table.data) == 2


#   hours ago    80    74        71         0
#   -------------*-----*-----[---*----------*---)
#              expired           kept
async def test_replaced_values_expire_on_the_clock(ranking: RankingApp) -> None:
    table = ranking.sales.table
    table.replace([stored(1, hours) for hours in (80, 74, 71, 0)])
    await table._del_old_keys()
    kept = [hours for hours in (80, 74, 71, 1) if quantity(ranking, 1, hours)]
    assert kept == [71]
    assert len(table.data) == 2


async def test_expiry_keeps_one_entry_for_each_value(ranking: RankingApp) -> None:
    table = ranking.sales.table
    table.replace([stored(1, 0)])
    [key] = table.data
    for _ in range(100):
        table._maybe_set_key_ttl(key, 0)
    assert sum(map(len, table._partition_timestamps.values())) == 1


async def test_the_changelog_that_we_make_is_the_one_that_faust_uses(ranking: RankingApp) -> None:
    ours = changelog_topic("t-ranking", TOPICS)
    assert ranking.sales.table.changelog_topic_name == ours.name
    assert ours.partitions == TOPICS.product_sales.partitions
