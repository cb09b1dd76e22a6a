"""The JSON of the tables: a value of the sales table, and a partition's top list."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from domain.comparison import Comparison, Difference
from domain.ranking import LogPoint, SourcePartition, Tally, TopEntry, TopList, Window
from streams import wire
from streams.outcomes import epoch_ms, moment, moment_or_none


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


class HourQuantity(msgspec.Struct):
    """What is read of a value where it does not matter which sales it counts."""

    quantity: int


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


class DifferentHour(wire.Shape):
    """Where the table and SQL differ; without an hour the index's sum of the window is meant."""

    product_id: int
    hour: datetime | None
    table: int
    sql: int


class CheckedTable(wire.Shape):
    """What a check compared, with the number of differences and the first of them."""

    generation: int
    partitions: list[int]
    window: CountedWindow
    products: int
    hours: int
    differences: int
    first: list[DifferentHour]


_encode = msgspec.json.Encoder().encode
_decode_tally = msgspec.json.Decoder(HourSales).decode
_decode_quantity = msgspec.json.Decoder(HourQuantity).decode
_decode_top = msgspec.json.Decoder(PartitionTop).decode
_decode_checked = msgspec.json.Decoder(CheckedTable).decode
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


def quantity_of(value: bytes) -> int:
    """Read the quantity alone of a value of the sales table."""
    return _decode_quantity(value).quantity


def encode_top(top: TopList) -> bytes:
    """Encode a partition's top list."""
    return _encode(
        PartitionTop(
            partition=top.partition,
            generation=top.generation,
            window=counted_window(top.window),
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
        window=_window_of(found.window),
        as_of_ms=epoch_ms(found.as_of),
        entries=entries,
        owner=found.owner,
        loaded_at_ms=epoch_ms(found.loaded_at),
    )


def sold_products(entries: Iterable[TopEntry]) -> list[SoldProduct]:
    """Show entries, best first."""
    return [SoldProduct(entry.product_id, entry.quantity) for entry in entries]


def counted_window(window: Window) -> CountedWindow:
    """Show a window."""
    return CountedWindow(moment(window.start_ms), moment(window.end_ms))


def _window_of(shown: CountedWindow) -> Window:
    return Window(epoch_ms(shown.start), epoch_ms(shown.end))


def encode_comparison(found: Comparison) -> bytes:
    """Encode what a check compared."""
    return _encode(
        CheckedTable(
            generation=found.generation,
            partitions=list(found.partitions),
            window=counted_window(found.window),
            products=found.products,
            hours=found.hours,
            differences=found.differences,
            first=[
                DifferentHour(each.product_id, moment_or_none(each.hour_ms), each.table, each.sql)
                for each in found.first
            ],
        )
    )


def decode_comparison(value: bytes) -> Comparison:
    """Read what a check compared; raises msgspec.DecodeError or ValueError for anything else."""
    found = _decode_checked(value)
    return Comparison(
        generation=found.generation,
        partitions=tuple(found.partitions),
        window=_window_of(found.window),
        products=found.products,
        hours=found.hours,
        differences=found.differences,
        first=tuple(
            Difference(
                each.product_id,
                None if each.hour is None else epoch_ms(each.hour),
                each.table,
                each.sql,
            )
            for each in found.first
        ),
    )
