"""Replays of dead letters: which records are one, and that each letter is replayed once.

A header alone is believed by nobody, for any producer can write one: a record is a replay only if
an operator has asked for it, and it is the very record that was asked for, at its partition. One
that is not is a record like any other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import CommandKey, LogRow
from storage.dead_letter_actions import Closing, LetterPlace, Replay, find_replays
from streams.codec import DEAD_LETTER_REPLAY, Incoming
from streams.outcomes import Answer, problem
from streams.records import Place, Record

Replays = Mapping[Place, Replay]
"""Which of a batch's records are replays of a dead letter."""


@dataclass(slots=True)
class Closings:
    """What the replays of one batch close, and whose command ids they take over."""

    written: list[Closing] = field(default_factory=list)
    moved: list[LogRow] = field(default_factory=list)
    taken_over: set[CommandKey] = field(default_factory=set)
    _letters: set[LetterPlace] = field(default_factory=set)

    def is_closed(self, replay: Replay) -> bool:
        """Tell whether its letter was closed, before this batch or in it."""
        return replay.is_closed or replay.letter in self._letters

    def close(self, replay: Replay, row: LogRow) -> None:
        """Note that a letter was replayed, and what came of it."""
        self._letters.add(replay.letter)
        self.written.append(
            Closing(
                **replay.letter._asdict(),
                action_id=replay.action_id,
                by_epoch=row.epoch,
                by_topic=row.topic,
                by_partition=row.partition,
                by_offset=row.offset,
                disposition=row.disposition,
                status=row.status,
                closed_at_ms=row.accepted_at_ms,
            )
        )


async def load_replays(connection: AsyncConnection, incoming: Sequence[Incoming]) -> Replays:
    """Find which of these records are replays that an operator has asked for."""
    asked = {i.record.place: action for i in incoming if (action := _action_of(i.record))}
    if not asked:
        return {}
    ids = {i.command_id for i in incoming if i.record.place in asked and i.command_id}
    found = await find_replays(connection, set(asked.values()), ids)
    return {
        i.record.place: replay
        for i in incoming
        if (replay := found.get(asked.get(i.record.place, "")))
        and replay.content == content_of(i.record.place, i.record.key, i.record.value)
    }


def _action_of(record: Record) -> str | None:
    """Read which replay a record says it is, as its id is stored; None for none."""
    told = record.header(DEAD_LETTER_REPLAY)
    try:
        return str(UUID(told.decode())) if told else None
    except ValueError:
        return None


def content_of(place: Place, key: bytes | None, value: bytes | None) -> bytes:
    """Return the hash that tells this record, at this partition, from all others."""
    parts = (place.topic.encode(), b"%d" % place.partition, key or b"", value or b"")
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


def already_closed() -> Answer:
    """Tell that a replay came too late."""
    detail = "This dead letter was replayed or discarded before; nothing was done."
    return problem(409, "DEAD_LETTER_CLOSED", detail)
