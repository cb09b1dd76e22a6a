"""`fairline dlq replay`: dead letters appended again, applied by the workers like any record.

A replay is noted before it is appended: wherever this ends in between, the notes have it; and to
ask again is always safe, since of all replays of a letter the workers apply one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer

from app.dlq import Asker, Tell, named, new_action, place_of
from app.opened import opened
from app.services.errors import AwayError, StartError
from app.settings import Settings
from app.topics import topics_in
from storage.clock import load_clock
from storage.command_log import DeadLetterRow
from storage.dead_letter_actions import (
    ActionKind,
    Closing,
    LetterPlace,
    find_closing,
    replay_of,
    save_actions,
)
from storage.dead_letters import Outcome, find_letter, find_outcome
from storage.engine import Database
from streams.admin import describe_cluster
from streams.codec import DEAD_LETTER_REPLAY, CommandReader, partition_of
from streams.dead_letter_replays import content_of
from streams.kafka_access import kafka_options
from streams.records import LOG_APPEND_TIME, Headers, Place, Record
from streams.topics import Topics

# So many are noted in one transaction, appended, and waited for.
CHUNK = 100
LOOK_SECONDS = 0.1

_decode_headers = msgspec.json.Decoder(list[tuple[str, bytes | None]]).decode


class Correction(NamedTuple):
    """What takes the place of a letter's key and value; None leaves the original bytes."""

    key: bytes | None = None
    value: bytes | None = None


class UnfitError(Exception):
    """Why a letter's record would be a dead letter again."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A letter that is closed, by what, and the outcome. `is_ours` where this replay did it."""

    letter: LetterPlace
    closing: Closing
    outcome: Outcome | None
    is_ours: bool

    @property
    def succeeded(self) -> bool:
        """Tell whether this replay was applied with success."""
        return self.is_ours and self.closing.status == 200


class Prepared(NamedTuple):
    """A letter, and the record that is to be appended for it."""

    letter: LetterPlace
    record: Record


def prepare(letter: DeadLetterRow, correction: Correction, topics: Topics) -> Record:
    """Make the record that replays a letter. Raises UnfitError where it would be poison again."""
    counts = {topic.name: topic.partitions for topic in topics.commands}
    key = letter.key if correction.key is None else correction.key
    value = letter.value if correction.value is None else correction.value
    if letter.topic not in counts:
        message = f"{letter.topic} is no command topic of this installation"
        raise UnfitError(message)
    place = Place(letter.topic, partition_of(key or b"", counts[letter.topic]), 0)
    record = Record(place, key, value, _headers(letter), 0, LOG_APPEND_TIME)
    poison = CommandReader(topics).read(record).poison
    if poison is not None:
        message = f"it would be a dead letter again: {poison.reason}: {poison.detail}"
        raise UnfitError(message)
    return record


def _headers(letter: DeadLetterRow) -> Headers:
    return [(name, v) for name, v in _decode_headers(letter.headers) if name != DEAD_LETTER_REPLAY]


class Replayer:
    """Replays letters one chunk at a time, and waits until the workers have closed them."""

    def __init__(
        self, database: Database, producer: AIOKafkaProducer, wait_seconds: float
    ) -> None:
        self._database = database
        self._producer = producer
        self._wait_seconds = wait_seconds

    async def replay(self, prepared: Sequence[Prepared], asker: Asker) -> list[Replayed]:
        """Note, append, and wait. Raises AwayError where no worker applies them in time."""
        action_ids = await self._note(prepared, asker)
        futures = [
            await self._producer.send(
                record.place.topic,
                record.value,
                key=record.key,
                partition=record.place.partition,
                headers=[*record.headers, (DEAD_LETTER_REPLAY, action_id.encode())],
            )
            for (_, record), action_id in zip(prepared, action_ids, strict=True)
        ]
        await asyncio.gather(*futures)
        deadline = time.monotonic() + self._wait_seconds
        return [
            await self._closed(letter, action_id, deadline)
            for (letter, _), action_id in zip(prepared, action_ids, strict=True)
        ]

    async def _note(self, prepared: Sequence[Prepared], asker: Asker) -> list[str]:
        async with self._database.begin() as connection:
            now_ms = await load_clock(connection)
            actions = [
                new_action(
                    ActionKind.REPLAY,
                    letter,
                    asker,
                    now_ms,
                    content=content_of(record.place, record.key, record.value),
                )
                for letter, record in prepared
            ]
            await save_actions(connection, actions)
        return [action.action_id for action in actions]

    async def _closed(self, letter: LetterPlace, action_id: str, deadline: float) -> Replayed:
        while True:
            async with self._database.connect() as connection:
                closing = await find_closing(connection, letter)
                if closing is not None:
                    by = replay_of(closing)
                    outcome = await find_outcome(connection, by) if by else None
                    return Replayed(letter, closing, outcome, closing.action_id == action_id)
            if time.monotonic() > deadline:
                message = f"{named(letter)} was appended, but no worker has applied it within"
                message += f" {self._wait_seconds:g} s: is one running? It will be applied once,"
                message += " also if you replay it again"
                raise AwayError(message)
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def replayer(settings: Settings, wait_seconds: float) -> AsyncIterator[Replayer]:
    """Connect to database and broker. Raises StartError where they are not as settings say."""
    async with opened(settings) as database:
        await _require_partitions(settings)
        async with AIOKafkaProducer(
            **kafka_options(settings.kafka), enable_idempotence=True, acks="all"
        ) as producer:
            yield Replayer(database, producer, wait_seconds)


async def _require_partitions(settings: Settings) -> None:
    """Refuse to place keys by a number of partitions that the topics do not have."""
    topics = topics_in(settings).commands
    found = (await describe_cluster(settings.kafka, topics)).partitions
    for topic in topics:
        if found[topic.name] != topic.partitions:
            message = f"{topic.name} has {found[topic.name]} partitions, and FAIRLINE_PARTITIONS"
            message += f" says {topic.partitions}"
            raise StartError(message)


async def fit_letters(
    settings: Settings, letters: Sequence[LetterPlace], tell: Tell
) -> list[LetterPlace]:
    """Tell which letters cannot be replayed as they are, and return the others."""
    fit = []
    async with opened(settings) as database:
        for start in range(0, len(letters), CHUNK):
            chunk = letters[start : start + CHUNK]
            fit += [p.letter for p in await _prepared(settings, database, chunk, tell)]
    return fit


async def _prepared(
    settings: Settings, database: Database, letters: Sequence[LetterPlace], tell: Tell
) -> list[Prepared]:
    prepared = []
    async with database.connect() as connection:
        for letter in letters:
            row = await find_letter(connection, letter[1:], letter.epoch)
            assert row is not None
            try:
                record = prepare(row, Correction(), topics_in(settings))
            except UnfitError as unfit:
                tell(f"{named(letter)} is left out: {unfit}")
            else:
                prepared.append(Prepared(letter, record))
    return prepared


async def replay_one(
    settings: Settings,
    letter: DeadLetterRow,
    correction: Correction,
    asker: Asker,
    *,
    wait_seconds: float,
) -> Replayed:
    """Replay one letter, corrected or as it is. Raises StartError where that cannot be."""
    at = place_of(letter)
    try:
        prepared = Prepared(at, prepare(letter, correction, topics_in(settings)))
    except UnfitError as unfit:
        message = f"{named(at)} cannot be replayed so: {unfit}"
        raise StartError(message) from None
    async with opened(settings) as database, database.connect() as connection:
        if await find_closing(connection, at) is not None:
            message = f"{named(at)} was replayed or discarded before; `fairline dlq show` tells"
            raise StartError(message)
    async with replayer(settings, wait_seconds) as made:
        return (await made.replay([prepared], asker))[0]


async def replay_all(
    settings: Settings,
    letters: Sequence[LetterPlace],
    asker: Asker,
    tell: Tell,
    *,
    wait_seconds: float,
) -> list[Replayed]:
    """Replay letters as they are, in this order, and tell how far it has come."""
    done: list[Replayed] = []
    async with opened(settings) as database, replayer(settings, wait_seconds) as made:
        for start in range(0, len(letters), CHUNK):
            chunk = letters[start : start + CHUNK]
            done += await made.replay(await _prepared(settings, database, chunk, tell), asker)
            if len(letters) > CHUNK:
                tell(f"{start + len(chunk)} of {len(letters)}")
    return done
