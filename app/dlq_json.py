"""Dead letters as programs read them: camelCase, times in ISO 8601, bytes in base64."""

from datetime import datetime

import msgspec

from app.dlq import Shown
from app.dlq_replay import Replayed
from storage.dead_letter_actions import Action, Closing, LetterPlace, replay_of
from storage.dead_letters import LetterStatus, ListedLetter, Outcome
from streams.outcomes import moment
from streams.wire import Shape

_encode = msgspec.json.Encoder().encode
_headers = msgspec.json.Decoder(list[tuple[str, bytes | None]]).decode


class PlaceShape(Shape):
    """Where a record stands, and in which log."""

    epoch: int
    topic: str
    partition: int
    offset: int


class OutcomeShape(Shape):
    """What a record came to; `commandId` where it was a command."""

    command_id: str | None
    disposition: str
    status: int
    body: msgspec.Raw


class ActionShape(Shape):
    """What an operator did, and why."""

    kind: str
    actor: str
    why: str | None
    acted_at: datetime


class ListedShape(PlaceShape):
    """One dead letter in a list."""

    reason: str
    detail: str
    key: bytes | None
    value_size: int | None
    recorded_at: datetime
    status: LetterStatus


class ShownShape(PlaceShape):
    """All that is known of a dead letter."""

    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    recorded_at: datetime
    status: LetterStatus
    outcome: OutcomeShape | None
    actions: list[ActionShape]
    closed_at: datetime | None
    replayed_at: PlaceShape | None
    replay_outcome: OutcomeShape | None


class ReplayedShape(PlaceShape):
    """What came of a replay; `isOurs` is false where another one came first."""

    is_ours: bool
    closed_at: datetime
    replayed_at: PlaceShape | None
    disposition: str | None
    replay_outcome: OutcomeShape | None


def status_of(closing: Closing | None) -> LetterStatus:
    """Return what has become of a letter, by what closed it."""
    if closing is None:
        return LetterStatus.OPEN
    return LetterStatus.DISCARDED if closing.by_topic is None else LetterStatus.REPLAYED


def listed_as_json(letters: list[ListedLetter]) -> str:
    """Return a page of letters as one JSON object."""
    shapes = [
        ListedShape(
            *one.letter,
            reason=one.reason,
            detail=one.detail,
            key=one.key,
            value_size=one.value_size,
            recorded_at=moment(one.recorded_at_ms),
            status=one.status,
        )
        for one in letters
    ]
    return _encode({"deadLetters": shapes}).decode()


def shown_as_json(shown: Shown) -> str:
    """Return all that is known of a letter as one JSON object."""
    letter, closing = shown.letter, shown.closing
    return _encode(
        ShownShape(
            epoch=letter.epoch,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            reason=letter.reason,
            detail=letter.detail,
            key=letter.key,
            value=letter.value,
            headers=_headers(letter.headers),
            recorded_at=moment(letter.recorded_at_ms),
            status=status_of(closing),
            outcome=_outcome(shown.outcome),
            actions=[_action(action) for action in shown.actions],
            closed_at=moment(closing.closed_at_ms) if closing else None,
            replayed_at=_place(replay_of(closing)) if closing else None,
            replay_outcome=_outcome(shown.replayed),
        )
    ).decode()


def replayed_as_json(results: list[Replayed]) -> str:
    """Return what came of replays as one JSON object."""
    shapes = [
        ReplayedShape(
            *one.letter,
            is_ours=one.is_ours,
            closed_at=moment(one.closing.closed_at_ms),
            replayed_at=_place(replay_of(one.closing)),
            disposition=one.closing.disposition,
            replay_outcome=_outcome(one.outcome),
        )
        for one in results
    ]
    return _encode({"replays": shapes}).decode()


def _action(action: Action) -> ActionShape:
    return ActionShape(action.kind, action.actor, action.why, moment(action.acted_at_ms))


def _place(place: LetterPlace | None) -> PlaceShape | None:
    return None if place is None else PlaceShape(*place)


def _outcome(outcome: Outcome | None) -> OutcomeShape | None:
    if outcome is None:
        return None
    body = msgspec.Raw(outcome.body.encode())
    return OutcomeShape(outcome.command_id, outcome.disposition, outcome.status, body)
