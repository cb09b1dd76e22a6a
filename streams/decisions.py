"""The pure middle of a batch: understood records in, rows of the command log out. No I/O."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from domain.events import Refusal
from domain.rules import decide
from domain.state import Decision, LogPlace, State, Terms
from storage.command_log import CommandKey, DeadLetterRow, Disposition, Known, LogRow
from storage.dead_letter_actions import Replay
from streams import wire_events
from streams.codec import REQUEST_TOKEN, RESULTS_PARTITION, Incoming, Poison, PoisonReason
from streams.dead_letter_replays import Closings, already_closed
from streams.outbox import StoredEvent, dead_letter, encode_outbox, stored_events
from streams.outcomes import Answer, answer, conflict, problem
from streams.records import Place, Record
from streams.topics import Topics

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What every batch of a worker is decided by."""

    topics: Topics
    epoch: int
    balance_max: int
    order_expiry_ms: int

    def terms(self, now_ms: int, place: Place) -> Terms:
        """Make the terms of a decision at a time, for a command at a place."""
        at = LogPlace(self.epoch, place.partition, place.offset)
        return Terms(now_ms, self.balance_max, self.order_expiry_ms, at)


@dataclass(slots=True)
class Writing:
    """What a batch will write: a row per record, claims of ids, dead letters, and their ends."""

    rows: list[LogRow] = field(default_factory=list)
    firsts: list[LogRow] = field(default_factory=list)
    letters: list[DeadLetterRow] = field(default_factory=list)
    closings: Closings = field(default_factory=Closings)


class BatchDecider:
    """Decides the records of one batch, in log order, on one working state."""

    def __init__(
        self,
        rulebook: Rulebook,
        state: State,
        known: dict[CommandKey, Known],
        replays: Mapping[Place, Replay] | None = None,
    ) -> None:
        self._rulebook = rulebook
        self.state = state
        self._known = known
        self._replays = replays or {}
        self.writing = Writing()

    def decide(self, incoming: Incoming, now_ms: int) -> None:
        """Decide one record and note what is to be written for it."""
        replay = self._replays.get(incoming.record.place)
        if replay is None:
            self._decide(incoming, now_ms)
        elif self.writing.closings.is_closed(replay):
            # Its row tells of no command: the outcome of that one is another record's.
            told = already_closed()
            self.write(Incoming(incoming.record), Disposition.CONFLICT, told, now_ms)
        else:
            self._decide_replay(incoming, replay, now_ms)

    def _decide_replay(self, incoming: Incoming, replay: Replay, now_ms: int) -> None:
        """Decide a dead letter's record anew, though its command id may be known for dead."""
        key = key_of(incoming)
        if key is not None and key == replay.claimed:
            self._known.pop(key, None)
            self.writing.closings.taken_over.add(key)
        self._decide(incoming, now_ms)
        self.writing.closings.close(replay, self.writing.rows[-1])

    def _decide(self, incoming: Incoming, now_ms: int) -> None:
        key = key_of(incoming)
        known = self._known.get(key) if key else None
        if incoming.poison is not None:
            self._bury(incoming, incoming.poison, now_ms, claims=key if known is None else None)
        elif known is None:
            self._decide_new(incoming, key, now_ms)
        elif known.fingerprint == incoming.fingerprint:
            first = Answer(known.status, known.body.encode())
            self.write(incoming, Disposition.REPEATED, first, now_ms)
        else:
            self.write(incoming, Disposition.CONFLICT, conflict(), now_ms)

    def _decide_new(self, incoming: Incoming, key: CommandKey | None, now_ms: int) -> None:
        assert incoming.command is not None
        try:
            decision = decide(
                self.state, incoming.command, self._rulebook.terms(now_ms, incoming.record.place)
            )
            told = answer(decision.outcome)
            outbox = self._outbox(incoming, decision)
        except Exception:
            # A bug in one rule must cost one command, not the line behind it.
            log.exception("rule failed on %s", incoming.record.place)
            poison = Poison(PoisonReason.RULE_FAILED, f"The rule of {incoming.type} failed.")
            self._bury(incoming, poison, now_ms, claims=key)
            return
        self.state.apply(decision.changes)
        row = self.write(incoming, _disposition_of(decision), told, now_ms, outbox=outbox)
        self._claim(key, row)

    def _outbox(self, incoming: Incoming, decision: Decision) -> list[StoredEvent]:
        if not decision.events:
            return []
        source = wire_events.Source(self._rulebook.epoch, *incoming.record.place)
        command_id = incoming.command_id or ""
        return stored_events(decision.events, command_id, source, self._rulebook.topics)

    def _bury(
        self, incoming: Incoming, poison: Poison, now_ms: int, *, claims: CommandKey | None
    ) -> None:
        record = incoming.record
        headers = _encode(list(record.headers)).decode()
        self.writing.letters.append(
            DeadLetterRow(
                epoch=self._rulebook.epoch,
                **record.place._asdict(),
                key=record.key,
                value=record.value,
                headers=headers,
                reason=poison.reason.value,
                detail=poison.detail,
                recorded_at_ms=now_ms,
            )
        )
        letter = dead_letter(record, poison.reason.value, poison.detail, self._rulebook.topics)
        row = self.write(incoming, Disposition.DEAD, buried(poison), now_ms, outbox=[letter])
        self._claim(claims, row)

    def _claim(self, key: CommandKey | None, row: LogRow) -> None:
        if key is not None:
            closings = self.writing.closings
            (closings.moved if key in closings.taken_over else self.writing.firsts).append(row)
            self._known[key] = Known(row.fingerprint, row.status, row.body)

    def write(
        self,
        incoming: Incoming,
        disposition: Disposition,
        told: Answer,
        now_ms: int,
        *,
        outbox: Sequence[StoredEvent] = (),
    ) -> LogRow:
        """Note the row of one record; `outbox` is what is published beside its outcome."""
        record = incoming.record
        row = LogRow(
            epoch=self._rulebook.epoch,
            **record.place._asdict(),
            key=_text(record.key),
            command_id=incoming.command_id,
            principal=incoming.principal,
            type=incoming.type,
            fingerprint=incoming.fingerprint,
            payload=incoming.payload.decode() if incoming.payload else None,
            disposition=disposition.value,
            status=told.status,
            body=told.body.decode(),
            events=encode_outbox(outbox),
            reply_to=reply_partition(record, self._rulebook.topics.command_results.partitions),
            request_token=_token(record),
            accepted_at_ms=now_ms,
        )
        self.writing.rows.append(row)
        return row


def _disposition_of(decision: Decision) -> Disposition:
    if isinstance(decision.outcome, Refusal):
        return Disposition.REFUSED
    # A success that changes nothing is one of before, told again: its first row was pruned.
    return Disposition.APPLIED if decision.changes else Disposition.REPEATED


def key_of(incoming: Incoming) -> CommandKey | None:
    """Return what the command is known by; None for what was no command."""
    if incoming.principal is None or incoming.command_id is None:
        return None
    return CommandKey(incoming.principal, incoming.command_id)


def buried(poison: Poison) -> Answer:
    """Tell a waiting sender that the record became a dead letter, and why."""
    status = 500 if poison.reason is PoisonReason.RULE_FAILED else 400
    return problem(status, "DEAD_LETTER", poison.detail, reason=poison.reason.value)


def reply_partition(record: Record, partitions: int) -> int | None:
    """Return the results partition that the record asks for, None for none or out of range."""
    text = record.header(RESULTS_PARTITION)
    if text is None or not text.isdigit() or len(text) > 6:
        return None
    number = int(text)
    return number if number < partitions else None


def _token(record: Record) -> str | None:
    token = record.header(REQUEST_TOKEN)
    text = _text(token)
    return text if text is not None and len(text) <= 64 else None


def _text(raw: bytes | None) -> str | None:
    # A text column refuses NUL; a command's own key never has one.
    return None if raw is None else raw.decode(errors="replace").replace("\x00", "\ufffd")
