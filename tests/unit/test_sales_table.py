"""The sales table where it differs from Faust's: values by hour, no expiry, no recovery."""

import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from faust.windows import TumblingWindow

from domain.ranking import HOUR_MS, hour_of
from streams.app import FaustSettings
from streams.topics import topics_of
from tables.app import RankingHooks, changelog_topic, create_ranking_app
from tables.hourly_values import HourlyValues, windowed
from tables.sales_table import SalesTable

NOW = time.time_ns() // 1_000_000
HOUR = hour_of(NOW)
TOPICS = topics_of("t-", 4)


async def nothing(*_: Any) -> None:
    """Stand where nothing happens."""


@pytest.fixture
async def table(tmp_path: Path) -> SalesTable:
    """The table of the app as the worker makes it, never started."""
    settings = FaustSettings("127.0.0.1:1", "t-ranking", "127.0.0.1", 6067, tmp_path)
    hooks = RankingHooks(nothing, nothing, nothing)
    return create_ranking_app(settings, TOPICS, ZoneInfo("Asia/Seoul"), hooks, hours=5).table


def values(**hours_ago: int) -> HourlyValues:
    """A value for each product (`p7=3`), that many hours ago."""
    made = HourlyValues()
    for product, hours in hours_ago.items():
        made[windowed(product[1:], HOUR - hours * HOUR_MS)] = b"%d" % hours
    return made


def test_a_key_is_windowed_as_faust_does_it() -> None:
    [window] = TumblingWindow(HOUR_MS / 1000).ranges(NOW / 1000)
    assert windowed("7", HOUR) == ("7", window)


def test_values_are_a_mapping_as_faust_expects_it() -> None:
    held = values(p1=3, p2=3, p7=0)
    assert dict(held) == {
        windowed("1", HOUR - 3 * HOUR_MS): b"3",
        windowed("2", HOUR - 3 * HOUR_MS): b"3",
        windowed("7", HOUR): b"0",
    }
    assert len(held) == 3
    del held[windowed("2", HOUR - 3 * HOUR_MS)]
    assert held.get(windowed("2", HOUR - 3 * HOUR_MS)) is None
    assert held.at("1", HOUR - 3 * HOUR_MS) == b"3"
    assert held.at("1", HOUR) is None
    held.clear()
    assert (len(held), list(held)) == (0, [])


async def test_values_that_are_replaced_are_those_that_faust_sees(table: SalesTable) -> None:
    table.by_hour = values(p1=3)
    assert table[windowed("1", HOUR - 3 * HOUR_MS)] == b"3"
    table.by_hour = values(p2=1)
    assert list(table.data) == [windowed("2", HOUR - HOUR_MS)]
    assert windowed("1", HOUR - 3 * HOUR_MS) not in table


#   hours ago     5    4    3              0
#   ------------)[*----*---[*--------------*---)
#                 dropped   kept, the first hour's first millisecond on
async def test_hours_are_dropped_whole_and_returned(table: SalesTable) -> None:
    table.by_hour = values(p1=5, p2=4, p3=4, p4=3, p5=0)
    assert table.by_hour.drop_before(HOUR - 3 * HOUR_MS) == [{"1": b"5"}, {"2": b"4", "3": b"4"}]
    assert set(table.by_hour.hours) == {HOUR - 3 * HOUR_MS, HOUR}
    assert table.by_hour.drop_before(HOUR - 3 * HOUR_MS) == []


async def test_faust_expires_nothing_and_remembers_nothing_for_it(table: SalesTable) -> None:
    table.by_hour = values(p1=9)
    assert not table._should_expire_keys()
    for key in table.data:
        table._maybe_set_key_ttl(key, 0)
    assert table._partition_timestamps == table._partition_timestamp_keys == {}


def test_hours_of_a_product_share_its_key() -> None:
    held = HourlyValues()
    for hour in range(72):
        held[windowed(str(10**9), hour * HOUR_MS)] = b""
    assert len({id(key) for hour in held.hours.values() for key in hour}) == 1


async def test_the_changelog_that_we_make_is_the_one_that_faust_uses(table: SalesTable) -> None:
    ours = changelog_topic("t-ranking", TOPICS, hours=5)
    assert table.changelog_topic_name == ours.name
    assert ours.partitions == TOPICS.product_sales.partitions
    assert ours.config["retention.ms"] == str(5 * HOUR_MS)


async def test_changelog_records_do_not_go_out_one_by_one(table: SalesTable) -> None:
    assert table.app.producer.linger_ms == 50
