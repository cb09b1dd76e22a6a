"""The JSON of the tables: a value of the sales table, and a partition's top list."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from domain.ranking import LogPoint, SourcePartition, Tally, TopEntry, TopList, Window
from streams import wire
from streams.outcomes import epoch_ms, moment


class CountedSource(wire.Shape):
    """The last point counted of one source."""

    topic: str
    partition: int
    epoch: int
    offset: int


class HourSales(wire.Shape):
    """A value of the sales table: what a product sold in an hour, and what that counts."""

    quantity: int
    counted: list[CountedSource]


class SoldProduct(wire.Shape):
    """One place of a top list."""

    product_id: int
    quantity: int


class CountedWindow(wire.Shape):
    """The span of time that a top list sums."""

    start: datetime
    end: datetime


class PartitionTop(wire.Shape):
    """Published on `product-top`, keyed by the partition: its best sellers, at most 100."""

    partition: int
    generation: int
    window: CountedWindow
    as_of: datetime
    entries: list[SoldProduct]
    owner: str = ""
    loaded_at: datetime = moment(0)


_encode = msgspec.json.Encoder().encode
_decode_tally = msgspec.json.Decoder(HourSales).decode
_decode_top = msgspec.json.Decoder(PartitionTop).decode
EMPTY_TALLY = _encode(HourSales(0, []))


def encode_tally(tally: Tally) -> bytes:
    """Encode a value of the sales table."""
    counted = [CountedSource(*source, *point) for source, point in tally.counted.items()]
    return _encode(HourSales(tally.quantity, counted))


def decode_tally(value: bytes) -> Tally:
    """Read a value of the sales table."""
    found = _decode_tally(value)
    return Tally(
        found.quantity,
        {
            SourcePartition(each.topic, each.partition): LogPoint(each.epoch, each.offset)
            for each in found.counted
        },
    )


def encode_top(top: TopList) -> bytes:
    """Encode a partition's top list."""
    return _encode(
        PartitionTop(
            partition=top.partition,
            generation=top.generation,
            window=CountedWindow(moment(top.window.start_ms), moment(top.window.end_ms)),
            as_of=moment(top.as_of_ms),
            entries=sold_products(top.entries),
            owner=top.owner,
            loaded_at=moment(top.loaded_at_ms),
        )
    )


def decode_top(value: bytes) -> TopList:
    """Read a partition's top list; raises msgspec.DecodeError or ValueError for anything else."""
    found = _decode_top(value)
    entries = tuple(TopEntry(each.product_id, each.quantity) for each in found.entries)
    return TopList(
        partition=found.partition,
        generation=found.generation,
        window=Window(epoch_ms(found.window.start), epoch_ms(found.window.end)),
        as_of_ms=epoch_ms(found.as_of),
        entries=entries,
        owner=found.owner,
        loaded_at_ms=epoch_ms(found.loaded_at),
    )


def sold_products(entries: Iterable[TopEntry]) -> list[SoldProduct]:
    """Show entries, best first."""
    return [SoldProduct(entry.product_id, entry.quantity) for entry in entries]
