"""Records of `product-sales`: what is a sale, and why the rest is none."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.ranking import AHEAD_MS_MAX, LogPoint, Sale, SourcePartition
from streams.codec import partition_of
from streams.outcomes import moment
from streams.records import Place, Record
from streams.topics import topics_of
from tables.sale_reader import NoSale, encode_rebuild, read_rebuild, read_sale

TOPICS = topics_of("t-", 8)
NOW = 1_773_146_096_789
SOURCE = {"epoch": 2, "topic": "t-user-commands", "partition": 7, "offset": 41}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "eventId": "9c5f0000-0000-4000-8000-000000000000:1",
        "type": "SaleRecorded",
        "orderId": "9c5f0000-0000-4000-8000-000000000000",
        "productId": 12,
        "quantity": 3,
        "soldAt": moment(NOW).isoformat(),
        "source": SOURCE,
        **fields,
    }


def record(value: bytes | None, key: bytes | None = b"12", partition: int = -1) -> Record:
    if partition < 0:
        partition = partition_of(b"12", 8)
    place = Place(TOPICS.product_sales.name, partition, 5)
    return Record(place, key, value, (), NOW, 0)


def read(fields: dict[str, Any], **more: Any) -> Sale | NoSale:
    return read_sale(record(msgspec.json.encode(fields), **more), TOPICS, NOW)


def reason_of(found: Sale | NoSale) -> str:
    assert isinstance(found, NoSale)
    assert found.detail
    return found.reason


def test_a_sale_is_read_with_its_time_and_its_source() -> None:
    source = SourcePartition("t-user-commands", 7)
    assert read(event()) == Sale(12, 3, NOW, source, LogPoint(2, 41))


def test_a_sale_a_little_ahead_of_this_clock_is_a_sale() -> None:
    at_most = NOW + AHEAD_MS_MAX
    assert isinstance(read(event(soldAt=moment(at_most).isoformat())), Sale)
    beyond = event(soldAt=moment(at_most + 1).isoformat())
    assert reason_of(read(beyond)) == "FUTURE_DATE"


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("UNKNOWN_TYPE", {"type": "SaleForgotten"}),
        ("UNKNOWN_SOURCE", {"source": {**SOURCE, "topic": "elsewhere"}}),
        ("UNKNOWN_SOURCE", {"source": {**SOURCE, "partition": 8}}),
        ("UNKNOWN_SOURCE", {"source": {**SOURCE, "partition": -1}}),
        ("KEY_MISMATCH", {"productId": 13}),
        ("UNDECODABLE", {"soldAt": "2026-03-10T12:34:56.789"}),
        ("UNDECODABLE", {"soldAt": "yesterday"}),
        ("UNDECODABLE", {"quantity": "3"}),
        ("INVALID_PAYLOAD", {"quantity": 2**70}),
        ("INVALID_PAYLOAD", {"quantity": -(2**70)}),
        ("INVALID_PAYLOAD", {"productId": 2**70}),
        ("INVALID_PAYLOAD", {"productId": 0}),
        ("UNDECODABLE", {"source": None}),
        ("UNDECODABLE", {"surprise": 1}),
    ],
)
def test_a_wrong_field_is_named(reason: str, fields: dict[str, Any]) -> None:
    assert reason_of(read(event(**fields))) == reason


@pytest.mark.parametrize(
    "value", [b"", b"junk", b"null", b"[]", b"{}", b"\xff\xfe", b'"\x00"', b"[" * 100_000]
)
def test_what_is_no_json_object_of_ours_is_undecodable(value: bytes) -> None:
    assert reason_of(read_sale(record(value), TOPICS, NOW)) == "UNDECODABLE"


def test_a_record_without_value_or_key_is_no_sale() -> None:
    assert reason_of(read_sale(record(None), TOPICS, NOW)) == "UNDECODABLE"
    assert reason_of(read(event(), key=None)) == "KEY_MISSING"


def test_a_sale_on_another_keys_partition_is_no_sale() -> None:
    wrong = (partition_of(b"12", 8) + 1) % 8
    assert reason_of(read(event(), partition=wrong)) == "WRONG_PARTITION"


REBUILD_ID = UUID("9c5f0000-0000-4000-8000-000000000000")


def test_a_request_to_rebuild_is_read_without_a_key_and_on_any_partition() -> None:
    for partition in range(8):
        asked = record(encode_rebuild(REBUILD_ID), key=None, partition=partition)
        assert read_rebuild(asked) == REBUILD_ID
        assert isinstance(read_sale(asked, TOPICS, NOW), NoSale)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"type": "RankingRebuildRequested"}',
        b'{"type": "RankingRebuildRequested", "rebuildId": 7}',
        b'{"type": "SaleRecorded", "rebuildId": "9c5f0000-0000-4000-8000-000000000000"}',
        msgspec.json.encode(event()),
    ],
)
def test_nothing_else_is_a_request_to_rebuild(value: bytes | None) -> None:
    assert read_rebuild(record(value)) is None
