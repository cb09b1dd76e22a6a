"""What the group's offsets have passed, but the database has not applied: read before consuming.

A database that was restored from a backup, or whose log was adopted, is behind the offsets that
Kafka keeps: nobody would bring these records again before the next one of their partition.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from storage.engine import Database
from storage.marks import load_marks
from streams.applying import PersistentApplier
from streams.log_identity import Log
from streams.log_reader import LogReader
from streams.published import ends_of
from streams.publisher import Publisher
from streams.records import Partition, Record
from streams.topics import Topics

log = logging.getLogger(__name__)

_BATCH_MAX = 500


class Span(NamedTuple):
    """Offsets of one partition, from the mark up to where the group goes on."""

    topic: str
    partition: int
    first: int
    end: int


async def find_spans(
    database: Database, held: Log, committed: Mapping[Partition, int]
) -> list[Span]:
    """Find what the group has passed and the database has not applied."""
    async with database.connect() as connection:
        marks = await load_marks(connection)
    spans = [
        Span(*key, mark.next_offset, min(committed.get(key, 0), held.bounds[key].stop))
        for key, mark in marks.items()
    ]
    return [span for span in spans if span.first < span.end]


async def read_missed(
    spans: Iterable[Span], source: tuple[LogReader, Topics]
) -> AsyncIterator[list[Record]]:
    """Yield the records of these spans, batch by batch, in the order in which they came.

    Time orders them across topics as their senders knew it: an order with a coupon came after
    the coupon was issued. In the same millisecond a topic comes before those that rest on it.
    """
    log_reader, topics = source
    names = [topic.name for topic in reversed(topics.commands)]
    ordered = sorted(spans, key=lambda span: (names.index(span.topic), span.partition))
    for span in ordered:
        log.warning("catching up: %s[%d] from %d to %d", *span)
    batch: list[Record] = []
    async for record in _merge([_read(log_reader, span) for span in ordered]):
        if batch and (record.place.topic != batch[0].place.topic or len(batch) >= _BATCH_MAX):
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


async def apply_missed(
    batches: AsyncIterator[list[Record]], applier: PersistentApplier, publisher: Publisher
) -> None:
    """Apply batches and publish what comes of them.

    Another worker may do the same at the same time: the marks let each record be applied once.
    """
    async for batch in batches:
        rows = await applier.apply(batch)
        await publisher.publish(rows)
        applier.published.arrive(ends_of(rows))


async def _read(log_reader: LogReader, span: Span) -> AsyncIterator[Record]:
    first = span.first
    while records := await log_reader.read(span.topic, span.partition, first, span.end):
        for record in records:
            yield record
        first = records[-1].place.offset + 1


async def _merge(sources: list[AsyncIterator[Record]]) -> AsyncIterator[Record]:
    heads = [
        (record.timestamp_ms, number, record)
        for number, source in enumerate(sources)
        if (record := await anext(source, None)) is not None
    ]
    heapify(heads)
    while heads:
        _, number, record = heappop(heads)
        yield record
        following = await anext(sources[number], None)
        if following is not None:
            heappush(heads, (following.timestamp_ms, number, following))
