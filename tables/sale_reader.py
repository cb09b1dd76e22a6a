"""Reads records of `product-sales`: a sale, or the reason why the record is none."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from domain.catalog import STOCK_MAX
from domain.ranking import AHEAD_MS_MAX, LogPoint, Sale, SourcePartition
from streams import wire, wire_events
from streams.codec import PoisonReason, partition_of
from streams.outcomes import epoch_ms
from streams.records import Record
from streams.topics import Topics

FUTURE_DATE = "FUTURE_DATE"
UNKNOWN_SOURCE = "UNKNOWN_SOURCE"

REBUILD = "RankingRebuildRequested"

_decode = msgspec.json.Decoder(wire_events.SaleRecorded).decode
_decode_rebuild = msgspec.json.Decoder(wire_events.RankingRebuildRequested).decode


@dataclass(frozen=True, slots=True)
class NoSale:
    """Why a record is no sale, in a word and in a sentence."""

    reason: str
    detail: str


def read_sale(record: Record, topics: Topics, now_ms: int) -> Sale | NoSale:
    """Understand one record. Never raises for what a producer may have sent."""
    if record.key is None:
        return NoSale(PoisonReason.KEY_MISSING, "The record has no key.")
    if record.value is None:
        return NoSale(PoisonReason.UNDECODABLE, "The record has no value.")
    try:
        event = _decode(record.value)
        sold_at_ms = epoch_ms(event.sold_at)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        return NoSale(PoisonReason.UNDECODABLE, str(error)[:500])
    refusal = (
        _wrong_kind(event, topics)
        or _wrong_number(event)
        or _wrong_place(event, record, topics)
        or _wrong_time(sold_at_ms, now_ms)
    )
    if refusal is not None:
        return refusal
    return Sale(
        product_id=event.product_id,
        quantity=event.quantity,
        sold_at_ms=sold_at_ms,
        source=SourcePartition(event.source.topic, event.source.partition),
        point=LogPoint(event.source.epoch, event.source.offset),
    )


def encode_rebuild(rebuild_id: UUID) -> bytes:
    """Encode a request to load anew."""
    return msgspec.json.encode(wire_events.RankingRebuildRequested(REBUILD, rebuild_id))


def read_rebuild(record: Record) -> UUID | None:
    """Return the id of a request to load anew; None where a record is none."""
    try:
        request = _decode_rebuild(record.value or b"")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return request.rebuild_id if request.type == REBUILD else None


def _wrong_kind(event: wire_events.SaleRecorded, topics: Topics) -> NoSale | None:
    if event.type != "SaleRecorded":
        return NoSale(PoisonReason.UNKNOWN_TYPE, f"{event.type[:64]!r} is not a sale.")
    partitions = {topic.name: topic.partitions for topic in topics.commands}
    if not 0 <= event.source.partition < partitions.get(event.source.topic, 0):
        return NoSale(UNKNOWN_SOURCE, "The source is no partition of a command topic.")
    return None


def _wrong_number(event: wire_events.SaleRecorded) -> NoSale | None:
    # JSON's integers have no bounds; those of the sums have.
    if not 1 <= event.product_id <= wire.INT64_MAX or abs(event.quantity) > STOCK_MAX:
        return NoSale(PoisonReason.INVALID_PAYLOAD, "A number is out of its bounds.")
    return None


def _wrong_place(event: wire_events.SaleRecorded, record: Record, topics: Topics) -> NoSale | None:
    key = str(event.product_id).encode()
    if record.key != key:
        return NoSale(PoisonReason.KEY_MISMATCH, f"The key is not the product {key.decode()}.")
    partition = partition_of(key, topics.product_sales.partitions)
    if partition != record.place.partition:
        detail = f"This key belongs to partition {partition} (murmur2)."
        return NoSale(PoisonReason.WRONG_PARTITION, detail)
    return None


def _wrong_time(sold_at_ms: int, now_ms: int) -> NoSale | None:
    if sold_at_ms > now_ms + AHEAD_MS_MAX:
        return NoSale(FUTURE_DATE, f"The sale is dated {sold_at_ms - now_ms} ms ahead.")
    return None
