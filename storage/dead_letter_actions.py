"""What operators do about dead letters, and what closes one: a replay that was applied, a discard.

A letter is closed at most once. The row that says so is unique, and is written in the transaction
that applies the replay: two replays, or a replay and a discard, meet at it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.command_log import CLAIM_NAMES, CommandKey, LogRow, claim_row
from storage.rows import Writes, insert_rows, reader_of
from storage.schema import command_ids, dead_letter_actions, dead_letter_closings
from storage.sets import one_of


class LetterPlace(NamedTuple):
    """Where a dead letter stands: a place in the log, and the epoch of that log."""

    epoch: int
    topic: str
    partition: int
    offset: int


class ActionKind(StrEnum):
    """What an operator may do about a dead letter."""

    REPLAY = "REPLAY"
    DISCARD = "DISCARD"


@dataclass(frozen=True, slots=True)
class Action:
    """Who did what about a dead letter, when, and why.

    `content` is the hash of the record that a replay appends, None for a discard: only a record
    that has it counts as this replay.
    """

    action_id: str
    epoch: int
    topic: str
    partition: int
    offset: int
    kind: str
    actor: str
    why: str | None
    content: bytes | None
    acted_at_ms: int

    @property
    def letter(self) -> LetterPlace:
        """The dead letter that it is about."""
        return LetterPlace(self.epoch, self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Closing:
    """What closed a dead letter: an action, and where it was a replay, the record and its outcome.

    The fields from `by_epoch` to `status` are None for a discard.
    """

    epoch: int
    topic: str
    partition: int
    offset: int
    action_id: str
    by_epoch: int | None
    by_topic: str | None
    by_partition: int | None
    by_offset: int | None
    disposition: str | None
    status: int | None
    closed_at_ms: int

    @property
    def letter(self) -> LetterPlace:
        """The dead letter that is closed."""
        return LetterPlace(self.epoch, self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that an operator asked for.

    `claimed` is the command that the dead letter's own record claimed, None where it claimed none.
    """

    action_id: str
    letter: LetterPlace
    content: bytes | None
    is_closed: bool
    claimed: CommandKey | None


_action_columns = [dead_letter_actions.c[name] for name in Action.__dataclass_fields__]
_closing_columns = [dead_letter_closings.c[name] for name in Closing.__dataclass_fields__]
_closing_names, _closing_row = reader_of(Closing)
_action_names, _action_row = reader_of(Action)
_discard_names = (*LetterPlace._fields, "action_id", "closed_at_ms")


def same_place(one: sa.Table, other: sa.Table) -> sa.ColumnElement[bool]:
    """Say that rows of two tables are of one place in the log."""
    return sa.and_(*(one.c[name] == other.c[name] for name in LetterPlace._fields))


def at_place(table: sa.Table, place: LetterPlace) -> sa.ColumnElement[bool]:
    """Say that a row of a table is of this place in the log."""
    return sa.and_(*(table.c[name] == value for name, value in place._asdict().items()))


_replays_by_id = (
    sa.select(
        dead_letter_actions.c.action_id,
        dead_letter_actions.c.content,
        dead_letter_closings.c.action_id.is_not(None),
        *(dead_letter_actions.c[name] for name in LetterPlace._fields),
    )
    .join_from(
        dead_letter_actions,
        dead_letter_closings,
        same_place(dead_letter_actions, dead_letter_closings),
        isouter=True,
    )
    .where(
        one_of(dead_letter_actions.c.action_id, "action_ids"),
        dead_letter_actions.c.kind == ActionKind.REPLAY.value,
    )
)
_claims_by_id = sa.select(
    command_ids.c.principal,
    command_ids.c.command_id,
    *(command_ids.c[name] for name in LetterPlace._fields),
).where(one_of(command_ids.c.command_id, "command_ids"))


async def find_replays(
    connection: AsyncConnection, action_ids: Collection[str], ids: Collection[str]
) -> dict[str, Replay]:
    """Find the replays with these ids, by id; `ids` are of the commands that the records carry."""
    rows = await connection.execute(_replays_by_id, {"action_ids": list(action_ids)})
    listed = [(*row[:3], LetterPlace(*row[3:])) for row in rows]
    claims = await connection.execute(_claims_by_id, {"command_ids": list(ids)})
    claimed = {LetterPlace(*row[2:]): CommandKey(row[0], row[1]) for row in claims}
    return {
        action_id: Replay(action_id, letter, content, is_closed, claimed.get(letter))
        for action_id, content, is_closed, letter in listed
    }


def save_closings(writes: Writes, closings: Sequence[Closing], moved: Sequence[LogRow]) -> None:
    """Save what replays have closed. `moved` take over the command ids of their dead letters."""
    writes.insert(dead_letter_closings, _closing_names, map(_closing_row, closings))
    writes.update(command_ids, CLAIM_NAMES, map(claim_row, moved))


async def save_actions(connection: AsyncConnection, actions: Iterable[Action]) -> None:
    """Save what operators do; nothing comes of a replay until its record is applied."""
    await insert_rows(connection, dead_letter_actions, _action_names, map(_action_row, actions))


async def save_discards(connection: AsyncConnection, actions: Sequence[Action]) -> None:
    """Save discards, which close their letters. Raises IntegrityError where one is closed."""
    await save_actions(connection, actions)
    await insert_rows(
        connection,
        dead_letter_closings,
        _discard_names,
        ((*action.letter, action.action_id, action.acted_at_ms) for action in actions),
    )


async def list_actions(connection: AsyncConnection, letter: LetterPlace) -> list[Action]:
    """List what was done about a letter, oldest first."""
    query = (
        sa.select(*_action_columns)
        .where(at_place(dead_letter_actions, letter))
        .order_by(dead_letter_actions.c.acted_at_ms, dead_letter_actions.c.action_id)
    )
    return [Action(*row) for row in await connection.execute(query)]


async def find_closing(connection: AsyncConnection, letter: LetterPlace) -> Closing | None:
    """Find what closed a letter; None while it is open."""
    query = sa.select(*_closing_columns).where(at_place(dead_letter_closings, letter))
    row = (await connection.execute(query)).first()
    return None if row is None else Closing(*row)


def replay_of(closing: Closing) -> LetterPlace | None:
    """Return the place of the replay that closed a letter; None for a discard."""
    epoch, topic = closing.by_epoch, closing.by_topic
    partition, offset = closing.by_partition, closing.by_offset
    if epoch is None or topic is None or partition is None or offset is None:
        return None
    return LetterPlace(epoch, topic, partition, offset)
