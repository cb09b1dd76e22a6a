"""The one path of a write: admitted, appended to the log, and answered by its outcome."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import NamedTuple
from uuid import UUID

from aiohttp import web

from domain.principals import Scope
from storage.command_log import CommandKey, save_accepted
from storage.engine import Database
from streams import codec, wire
from streams.kinds import KINDS
from streams.outcomes import Answer
from streams.records import Partition
from streams.service_watch import Watch
from streams.topics import Topics
from streams.tracing import trace_headers
from web.appender import Appender
from web.backlog import Limits, Line, is_stalled, may_join, retry_after
from web.door import Door
from web.entry import Entry, Stage
from web.gathering import Gathering
from web.identity import identity_of, require_own
from web.lines import Lines
from web.patience import Patience, give_up
from web.preferences import NO_PREFERENCE, Preference, read_preferences
from web.problems import (
    KAFKA_AWAY,
    KAFKA_FULL,
    NOBODY_SERVES,
    STOPPING,
    TOO_MANY_WAITING,
    OutcomeUnknownError,
    ProblemError,
    UnavailableError,
    respond,
)
from web.requests import command_id_of, read_idempotency_key
from web.results import Results, Waiter
from web.shapes import PENDING, encode

COMMANDS_PATH = "/api/v1/commands/"
# The answer is late already; a database that is slower than this is as good as away.
SAVE_SECONDS_MAX = 2.0
# Fewer than this at a time do not wait for each other: they are sent at once.
COMPANY = 4


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """A command as its client sent it, with the id that it is known by."""

    uuid: UUID
    command_id: str
    principal: str
    payload: wire.Shape
    is_keyed: bool
    """Whether an idempotency key made the id, so that it may be known already."""
    stamp: wire.Stamp | None = None
    """Who acts, as the token said; without authentication the worker takes the payload's user."""
    preference: Preference = NO_PREFERENCE


def submission_of(request: web.Request, payload: wire.Shape) -> Submission:
    """Give a command its id, and its stamp. Without authentication, the payload's user acts."""
    stamp = _stamp_of(request, payload)
    principal = codec.principal_of(payload) if stamp is None else stamp.principal
    key = read_idempotency_key(request)
    uuid = command_id_of(request, principal, key)
    preference = NO_PREFERENCE
    if "Prefer" in request.headers:
        preference = read_preferences(request.headers.getall("Prefer"))
    return Submission(uuid, str(uuid), principal, payload, key is not None, stamp, preference)


def _stamp_of(request: web.Request, payload: wire.Shape) -> wire.Stamp | None:
    identity = identity_of(request)
    if identity is None:
        return None
    if KINDS[type(payload).__name__].is_admin:
        # The route asked for the scope; whoever writes another one must not forget it.
        assert identity.is_admin
        return wire.Stamp(identity.principal, Scope.ADMIN)
    user_id = getattr(payload, "user_id", None)
    if user_id is not None:
        require_own(request, user_id)
    return wire.Stamp(identity.principal)


class Route(NamedTuple):
    """Where a command goes, and the line that waits there."""

    partition: Partition
    line: Line


@dataclass(frozen=True, slots=True)
class Parts:
    """What the path is made of."""

    topics: Topics
    database: Database
    lines: Lines
    results: Results
    appender: Appender
    watches: tuple[Watch, ...]


class CommandPath:
    """Takes commands to the log, and their outcomes back to the client."""

    def __init__(self, parts: Parts, limits: Limits, wait_seconds: float) -> None:
        self._parts = parts
        self._limits = limits
        self._door = Door(limits)
        self._seconds_to_patience: dict[float | None, Patience] = {None: Patience(wait_seconds)}
        self._promises: Gathering[CommandKey, bool] = Gathering(self._remember)
        number = str(parts.results.partition).encode()
        self._results_header = (codec.RESULTS_PARTITION, number)
        self._topics = {name: getattr(parts.topics, kind.topic) for name, kind in KINDS.items()}
        self.is_leaving = False
        self.is_closing = False

    async def submit(self, submission: Submission) -> web.Response:
        """Append a command and answer with its outcome, or with 202 where that is late.

        How late that may be is the client's to say (`Prefer`).
        Raises UnavailableError or 429 before it is handed to Kafka; from then on nothing but
        OutcomeUnknownError.
        """
        route = self._route(submission.payload)
        self._admit(route.line, submission.principal)
        route.line.outstanding += 1
        self._door.begin()
        try:
            response = await self._carry(submission, route, token_hex(16))
        finally:
            route.line.outstanding -= 1
            self._door.end()
        if submission.preference.applied:
            response.headers["Preference-Applied"] = submission.preference.applied
        return response

    def refusal_seconds(self, payload: wire.Shape, who: str, before: int) -> int | None:
        """Return what a command is told that would wait too long behind so many; None: submit it.

        For who cannot wait to find out: it asks nobody, and what it tells is kept.
        """
        now = time.monotonic()
        if self.is_leaving or self._what_is_away():
            return None
        told = self._door.retry_after(who, now, before)
        if told is not None:
            return told
        line = self._route(payload).line
        if is_stalled(line, now) or may_join(line, who, now, self._limits):
            return None
        return retry_after(line, who, now, self._limits)

    def leave(self) -> None:
        """Say that this edge will be gone; it still takes commands from who has not heard."""
        self.is_leaving = True

    async def close(self, seconds_max: float) -> None:
        """Refuse new commands; those on their way get so long, and are then answered as late."""
        self.is_leaving = self.is_closing = True
        await self._parts.results.finish(seconds_max)
        for patience in self._seconds_to_patience.values():
            patience.lose()

    def _route(self, payload: wire.Shape) -> Route:
        topic = self._topics[type(payload).__name__]
        key = codec.key_of(payload)
        partition = codec.partition_of(key, topic.partitions)
        return Route((topic.name, partition), self._parts.lines.of(topic.name, partition))

    def _admit(self, line: Line, principal: str) -> None:
        if self.is_closing:
            raise UnavailableError(STOPPING)
        if away := self._what_is_away():
            raise UnavailableError(away)
        now = time.monotonic()
        seconds = self._told(line, principal, now)
        if seconds is not None:
            if is_stalled(line, now):
                raise UnavailableError(NOBODY_SERVES, seconds)
            headers = {"Retry-After": str(seconds)}
            raise ProblemError(429, "TOO_MANY_WAITING", TOO_MANY_WAITING, headers=headers)

    def _told(self, line: Line, who: str, now: float) -> int | None:
        """Decide whether a command joins the line of its key, and this edge's own."""
        told = retry_after(line, who, now, self._limits)
        return self._door.retry_after(who, now) if told is None else told

    def _what_is_away(self) -> str:
        """Say what a command needs and does not have; nothing where all is there."""
        parts = self._parts
        for watch in parts.watches:
            if not watch.is_ready:
                return watch.away
        return "" if parts.appender.is_ready and parts.results.is_ready else KAFKA_AWAY

    async def _carry(self, submission: Submission, route: Route, token: str) -> web.Response:
        results = self._parts.results
        waiter = results.expect(token, submission.command_id, submission.principal)
        patience = self._patience_of(submission.preference)
        patience.begin(waiter.future)
        entry = self._entry(submission, token, route.line, waiter)
        try:
            is_alone = results.awaited < COMPANY
            self._parts.appender.append(entry, route.partition, is_alone=is_alone)
            return respond_with(submission.command_id, await waiter.future)
        except TimeoutError:
            if entry.withdraw():
                raise UnavailableError(KAFKA_FULL) from None
            return await self._answer_late(submission, entry)
        finally:
            patience.end(waiter.future)
            entry.withdraw()
            # While it is on its way, whoever asks for it is told that it is pending.
            entry.then(partial(results.forget, token))

    def _patience_of(self, preference: Preference) -> Patience:
        """Return what ends a wait of this length; there are as many as there are lengths."""
        seconds = preference.wait_seconds
        patience = self._seconds_to_patience.get(seconds)
        if patience is None:
            patience = self._seconds_to_patience[seconds] = Patience(seconds or 0)
        return patience

    def _entry(self, submission: Submission, token: str, line: Line, waiter: Waiter) -> Entry:
        headers = [self._results_header, *trace_headers()]
        if not submission.preference.is_async:
            headers.insert(0, (codec.REQUEST_TOKEN, token.encode()))
        entry = Entry(
            codec.key_of(submission.payload),
            codec.encode_command(submission.uuid, submission.payload, submission.stamp),
            headers,
            line=line,
            waiter=waiter,
        )
        if submission.preference.is_async:
            # Without a token no outcome finds it: what ends its wait is the broker's word.
            entry.then(partial(give_up, waiter.future))
        return entry

    async def _answer_late(self, submission: Submission, entry: Entry) -> web.Response:
        """Promise an outcome: only for what the broker has, and once the promise is on record."""
        command_id = submission.command_id
        if entry.stage is not Stage.WRITTEN:
            raise OutcomeUnknownError(command_id)
        try:
            await self._promises.get(CommandKey(submission.principal, command_id))
        except Exception as error:
            raise OutcomeUnknownError(command_id) from error
        body = encode({"commandId": command_id, "state": PENDING})
        headers = {"Location": COMMANDS_PATH + command_id, "Command-Id": command_id}
        return respond(Answer(202, body), headers)

    async def _remember(self, keys: Sequence[CommandKey]) -> dict[CommandKey, bool]:
        """Save promises: those that come together in one transaction."""
        async with asyncio.timeout(SAVE_SECONDS_MAX):
            async with self._parts.database.begin() as connection:
                await save_accepted(connection, keys)
        return dict.fromkeys(keys, True)


def respond_with(command_id: str, result: wire.CommandResult) -> web.Response:
    """Make the response of an outcome, byte for byte."""
    headers = {"Command-Id": command_id}
    if result.replayed:
        headers["Idempotent-Replayed"] = "true"
    return respond(Answer(result.status, bytes(result.body)), headers)
