"""Dead letters as operators look at them: listed by what they have in common, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import DeadLetterRow
from storage.dead_letter_actions import LetterPlace, at_place, same_place
from storage.schema import command_log, dead_letter_closings, dead_letters


class LetterStatus(StrEnum):
    """What has become of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are asked for; None asks for all. Topics are named with their prefix."""

    topic: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    status: LetterStatus | None = LetterStatus.OPEN


@dataclass(frozen=True, slots=True)
class ListedLetter:
    """A dead letter in a list: all but its bytes."""

    letter: LetterPlace
    key: bytes | None
    value_size: int | None
    """Bytes of the value; None where the record has none."""
    reason: str
    detail: str
    recorded_at_ms: int
    status: LetterStatus


class Outcome(NamedTuple):
    """What a record came to: a status and a JSON body, with the command's id where it has one."""

    command_id: str | None
    disposition: str
    status: int
    body: str


_place = [dead_letters.c[name] for name in LetterPlace._fields]
# Newest first; letters of one moment in the order of their places, so that no page skips one.
_order = (dead_letters.c.recorded_at_ms, *_place)
_closed = same_place(dead_letters, dead_letter_closings)
_status = sa.case(
    (dead_letter_closings.c.action_id.is_(None), LetterStatus.OPEN.value),
    (dead_letter_closings.c.by_topic.is_(None), LetterStatus.DISCARDED.value),
    else_=LetterStatus.REPLAYED.value,
)
_listed = sa.select(
    *_place,
    dead_letters.c.key,
    sa.func.length(dead_letters.c.value),
    dead_letters.c.reason,
    dead_letters.c.detail,
    dead_letters.c.recorded_at_ms,
    _status,
).join_from(dead_letters, dead_letter_closings, _closed, isouter=True)
_columns = [dead_letters.c[name] for name in DeadLetterRow.__dataclass_fields__]


async def list_letters(
    connection: AsyncConnection, wanted: Wanted, limit: int, after: LetterPlace | None = None
) -> list[ListedLetter]:
    """List letters, newest first: the first `limit`, or those that follow `after`."""
    query = _listed.where(*_conditions(wanted))
    if after is not None:
        before = sa.select(*_order).where(at_place(dead_letters, after)).scalar_subquery()
        query = query.where(sa.tuple_(*_order) < before)
    query = query.order_by(*(column.desc() for column in _order)).limit(limit)
    return [_letter(row) for row in await connection.execute(query)]


def _letter(row: Sequence[Any]) -> ListedLetter:
    key, size, reason, detail, recorded_at_ms, status = row[4:]
    place = LetterPlace(*row[:4])
    return ListedLetter(place, key, size, reason, detail, recorded_at_ms, LetterStatus(status))


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.topic is not None:
        yield dead_letters.c.topic == wanted.topic
    if wanted.reason is not None:
        yield dead_letters.c.reason == wanted.reason
    if wanted.since_ms is not None:
        yield dead_letters.c.recorded_at_ms >= wanted.since_ms
    if wanted.status is not None:
        yield _status == wanted.status


async def count_letters(connection: AsyncConnection, wanted: Wanted) -> int:
    """Count the letters that are asked for."""
    query = _listed.where(*_conditions(wanted)).with_only_columns(sa.func.count())
    return (await connection.execute(query)).scalar_one()


async def find_letter(
    connection: AsyncConnection, place: tuple[str, int, int], epoch: int | None = None
) -> DeadLetterRow | None:
    """Find the letter at topic, partition and offset, of the newest epoch where none is named."""
    topic, partition, offset = place
    query = sa.select(*_columns).where(
        dead_letters.c.topic == topic,
        dead_letters.c.partition == partition,
        dead_letters.c.offset == offset,
    )
    if epoch is not None:
        query = query.where(dead_letters.c.epoch == epoch)
    row = (await connection.execute(query.order_by(dead_letters.c.epoch.desc()).limit(1))).first()
    return None if row is None else DeadLetterRow(*row)


async def find_outcome(connection: AsyncConnection, place: LetterPlace) -> Outcome | None:
    """Find what the record at a place came to; None where its row was pruned."""
    query = sa.select(
        command_log.c.command_id,
        command_log.c.disposition,
        command_log.c.status,
        command_log.c.body,
    ).where(at_place(command_log, place))
    row = (await connection.execute(query)).first()
    return None if row is None else Outcome(*row)
