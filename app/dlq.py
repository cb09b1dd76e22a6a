"""`fairline dlq list`, `show` and `discard`: dead letters looked at, and put aside knowingly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.exc import IntegrityError

from app.opened import opened
from app.services.errors import StartError
from app.settings import Settings
from storage.clock import load_clock
from storage.command_log import DeadLetterRow
from storage.dead_letter_actions import (
    Action,
    ActionKind,
    Closing,
    LetterPlace,
    find_closing,
    list_actions,
    replay_of,
    save_discards,
)
from storage.dead_letters import (
    ListedLetter,
    Outcome,
    Wanted,
    find_letter,
    find_outcome,
    list_letters,
)
from storage.engine import Database

PAGE = 1_000

Tell = Callable[[str], None]
"""Shows a line of progress."""

Place = tuple[str, int, int]
"""Topic, partition and offset, as an operator types them."""


class Asker(NamedTuple):
    """Who does something about dead letters, and why."""

    actor: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one dead letter.

    `outcome` is what its own record came to, `replayed` what its replay came to; None where
    there is none, or the row was pruned.
    """

    letter: DeadLetterRow
    outcome: Outcome | None
    actions: list[Action]
    closing: Closing | None
    replayed: Outcome | None


def place_of(letter: DeadLetterRow) -> LetterPlace:
    """Return where a letter stands."""
    return LetterPlace(letter.epoch, letter.topic, letter.partition, letter.offset)


async def list_page(
    settings: Settings, wanted: Wanted, limit: int, after: Place | None
) -> list[ListedLetter]:
    """List one page of letters, newest first. Raises StartError where `after` is none."""
    async with opened(settings) as database, database.connect() as connection:
        last = None if after is None else place_of(await _found(database, after, None))
        return await list_letters(connection, wanted, limit, last)


async def list_all(settings: Settings, wanted: Wanted) -> list[LetterPlace]:
    """List the places of all letters that are asked for, oldest first."""
    places: list[LetterPlace] = []
    async with opened(settings) as database, database.connect() as connection:
        while page := await list_letters(connection, wanted, PAGE, places[-1] if places else None):
            places += [listed.letter for listed in page]
    return places[::-1]


async def find_one(settings: Settings, place: Place, epoch: int | None) -> DeadLetterRow:
    """Find one letter. Raises StartError where there is none."""
    async with opened(settings) as database:
        return await _found(database, place, epoch)


async def _found(database: Database, place: Place, epoch: int | None) -> DeadLetterRow:
    async with database.connect() as connection:
        if (letter := await find_letter(connection, place, epoch)) is not None:
            return letter
    topic, partition, offset = place
    message = f"no dead letter is kept of {topic} {partition} {offset}"
    raise StartError(message + ("" if epoch is None else f" of log epoch {epoch}"))


async def show(settings: Settings, place: Place, epoch: int | None) -> Shown:
    """Load all that is known of one letter. Raises StartError where there is none."""
    async with opened(settings) as database:
        letter = await _found(database, place, epoch)
        at = place_of(letter)
        async with database.snapshot() as connection:
            closing = await find_closing(connection, at)
            by = None if closing is None else replay_of(closing)
            return Shown(
                letter,
                await find_outcome(connection, at),
                await list_actions(connection, at),
                closing,
                None if by is None else await find_outcome(connection, by),
            )


async def discard(
    settings: Settings, letters: Sequence[LetterPlace], asker: Asker, tell: Tell
) -> int:
    """Close letters without a replay, and return how many; tell of those closed already."""
    closed = 0
    async with opened(settings) as database:
        for letter in letters:
            try:
                await _discard(database, letter, asker)
                closed += 1
            except IntegrityError:
                tell(f"{named(letter)} was replayed or discarded before")
    return closed


async def _discard(database: Database, letter: LetterPlace, asker: Asker) -> None:
    async with database.begin() as connection:
        now_ms = await load_clock(connection)
        noted = new_action(ActionKind.DISCARD, letter, asker, now_ms)
        await save_discards(connection, [noted])


def new_action(
    kind: ActionKind,
    letter: LetterPlace,
    asker: Asker,
    now_ms: int,
    *,
    content: bytes | None = None,
) -> Action:
    """Make what is noted of an operator's deed."""
    actor, why = asker
    return Action(str(uuid4()), *letter, kind.value, actor[:200], why, content, now_ms)


def named(letter: LetterPlace) -> str:
    """Name a letter as commands take it."""
    return f"{letter.topic} {letter.partition} {letter.offset}"
