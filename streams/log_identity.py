"""Whether this database and this Kafka log belong together. If not, nothing is started.

Marks say how far the log is applied. Against another log, or one that was made anew, they would
silently skip commands or apply old ones again.
"""

import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import load_replayed
from storage.engine import Database
from storage.marks import (
    LogEpoch,
    Mark,
    delete_marks,
    find_log_epoch,
    insert_log_epoch,
    insert_marks,
    load_marks,
)
from storage.retention import load_pruned
from streams.admin import Cluster, describe_cluster
from streams.codec import CommandReader
from streams.log_reader import LogReader
from streams.outcomes import moment
from streams.records import Partition, Place
from streams.topics import Topics

log = logging.getLogger(__name__)

Bounds = Mapping[Partition, range]


class LogRefusedError(Exception):
    """The log is not the one that the database belongs to. The message says what to do."""


class Log(NamedTuple):
    """What the broker says of the log: the cluster, and which offsets each partition holds."""

    cluster: Cluster
    bounds: Bounds


async def look_at_log(kafka_url: str, log_reader: LogReader, topics: Topics) -> Log:
    """Ask the broker. Raises LogRefusedError where topics are missing or of another size."""
    cluster = await describe_cluster(kafka_url, topics.commands)
    for topic in topics.commands:
        count = cluster.partitions[topic.name]
        if count != topic.partitions:
            message = (
                f"topic {topic.name} has {count} partitions, expected are {topic.partitions}: "
                "set FAIRLINE_PARTITIONS to what the topics were made with"
            )
            raise LogRefusedError(message)
    partitions = [(t.name, number) for t in topics.commands for number in range(t.partitions)]
    return Log(cluster, await log_reader.bounds(partitions))


async def identify_log(database: Database, log: Log, log_reader: LogReader, topics: Topics) -> int:
    """Return the log epoch to work in; the first worker ever begins epoch 1.

    Raises LogRefusedError where the database belongs to another log.
    """
    await _begin_first_epoch(database, log)
    async with database.connect() as connection:
        epoch = await find_log_epoch(connection)
        marks = await load_marks(connection)
    assert epoch is not None
    # Another worker may be applying: the log must be looked at after the marks, never before.
    log = log._replace(bounds=await log_reader.bounds(log.bounds))
    check_marks(epoch, marks, log)
    await _check_last_records(database, marks, log, (log_reader, CommandReader(topics)))
    return epoch.epoch


async def _begin_first_epoch(database: Database, log: Log) -> None:
    try:
        async with database.begin() as connection:
            if await find_log_epoch(connection) is None:
                starts = dict.fromkeys(log.bounds, 0)
                await _begin_epoch(connection, log, 1, starts=starts)
    except exc.IntegrityError:
        # Another worker began it at the same moment; what it wrote counts for all.
        return


def check_marks(epoch: LogEpoch, marks: Mapping[Partition, Mark], log: Log) -> None:
    """Hold the marks against what the broker has. Raises LogRefusedError at the first misfit."""
    if epoch.cluster_id != log.cluster.cluster_id:
        _refuse(
            f"the database belongs to cluster {epoch.cluster_id}, not {log.cluster.cluster_id}"
        )
    if set(marks) != set(log.bounds):
        _refuse("the database remembers other topics or another number of partitions")
    for (topic, partition), held in log.bounds.items():
        next_offset = marks[topic, partition].next_offset
        if next_offset > held.stop:
            _refuse(
                f"{topic}[{partition}] ends at {held.stop}, but the database has applied it up "
                f"to {next_offset}: the topic was made anew or has lost records"
            )
        if next_offset < held.start:
            _refuse(
                f"{topic}[{partition}] begins at {held.start}, but the database has applied it "
                f"only up to {next_offset}: the records between are gone from the broker"
            )


async def _check_last_records(
    database: Database,
    marks: Mapping[Partition, Mark],
    log: Log,
    readers: tuple[LogReader, CommandReader],
) -> None:
    """See that the last applied record of each partition still is the one that was applied.

    Topics that were made anew and have grown past the marks are recognised by this alone.
    """
    log_reader, reader = readers
    places = [
        Place(mark.topic, mark.partition, mark.next_offset - 1)
        for key, mark in marks.items()
        if mark.next_offset - 1 in log.bounds[key]
    ]
    records = await log_reader.read_at(places)
    async with database.connect() as connection:
        for place, record in records.items():
            epoch = marks[place.topic, place.partition].epoch
            span = (place.partition, place.offset, place.offset)
            rows = await load_replayed(connection, epoch, place.topic, [span])
            if rows and rows[0].command_id != reader.read(record).command_id:
                _refuse(f"{place.topic}[{place.partition}] holds other records than were applied")


async def adopt_log(database: Database, log: Log, log_reader: LogReader) -> int:
    """Begin a new log epoch, knowingly: what the log holds will be applied.

    Commands that the database knows already are recognised by their ids and not applied again.
    Of what is older than the ids that were pruned nobody can tell: that is not applied.
    """
    starts = await _find_starts(database, log, log_reader)
    async with database.begin() as connection:
        known = await find_log_epoch(connection)
        number = known.epoch + 1 if known else 1
        await delete_marks(connection)
        return await _begin_epoch(connection, log, number, starts=starts)


async def _find_starts(
    database: Database, held: Log, log_reader: LogReader
) -> Mapping[Partition, int]:
    async with database.connect() as connection:
        pruned = (await load_pruned(connection)).values()
    until_ms = max((known.pruned_until_ms for known in pruned), default=0)
    if not until_ms:
        return {key: offsets.start for key, offsets in held.bounds.items()}
    starts = await log_reader.first_since(held.bounds, until_ms + 1)
    for key, start in starts.items():
        if passed := start - held.bounds[key].start:
            log.warning(
                "%s[%d]: the %d offsets up to %s are passed over, since the ids of commands of "
                "that time were pruned",
                *key,
                passed,
                moment(until_ms).isoformat(),
            )
    return starts


async def _begin_epoch(
    connection: AsyncConnection, log: Log, number: int, *, starts: Mapping[Partition, int]
) -> int:
    now_ms = int(time.time() * 1000)
    await insert_log_epoch(connection, LogEpoch(number, log.cluster.cluster_id, now_ms))
    marks = [Mark(*key, number, start, 0, start) for key, start in starts.items()]
    await insert_marks(connection, marks)
    return number


def _refuse(why: str) -> None:
    message = f"{why}. If that is right, run `fairline log adopt` to begin a new log epoch."
    raise LogRefusedError(message)
