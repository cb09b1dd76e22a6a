"""Some rows of the command log decided again, in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from domain import commands
from domain.rules import decide
from domain.state import State
from storage.audit import Logged
from storage.command_log import CommandKey, Disposition, Known, LogRow, save_log_rows
from storage.dead_letter_actions import save_closings
from storage.rows import Writes
from storage.state import save_state
from streams.audit.books import Place, place_of
from streams.audit.differing import is_told
from streams.audit.earlier import Earlier
from streams.codec import Incoming
from streams.decisions import BatchDecider, Rulebook
from streams.outcomes import answer

_FRESH = (Disposition.APPLIED, Disposition.REFUSED)


@dataclass(slots=True)
class Past:
    """What a replay keeps in mind from one portion to the next."""

    taken_over: frozenset[Place]
    earlier: Earlier = field(default_factory=Earlier)
    looked_back: int = 0


class Portion:
    """Decides rows again, in the order of their ids."""

    def __init__(
        self, rulebook: Rulebook, state: State, known: dict[CommandKey, Known], past: Past
    ) -> None:
        self._rulebook = rulebook
        self._state = state
        self._known = known
        self._past = past
        self._decider = BatchDecider(rulebook, state, known)

    def carry_out(self, logged: Logged, incoming: Incoming) -> LogRow:
        """Decide a row's command again, at its own time, and return the row that comes of it."""
        row, decider = logged.row, self._decider
        if place_of(row) in self._past.taken_over and row.disposition in _FRESH:
            self._take_over(row)
        watched = self._past.earlier.watch(self._state, incoming.command)
        decider.state = self._seen_by(logged, incoming)
        decider.decide(incoming, row.accepted_at_ms)
        decider.state = self._state
        self._past.earlier.note(logged.id, watched, self._state)
        return decider.writing.rows[-1]

    def copy(self, row: LogRow) -> None:
        """Take a row over as it is: that of a dead letter, which may have claimed an id."""
        writing = self._decider.writing
        writing.rows.append(row)
        key = key_of(row)
        if key is not None and key not in self._known:
            taken_over = key in writing.closings.taken_over
            (writing.closings.moved if taken_over else writing.firsts).append(row)
            self._known[key] = Known(row.fingerprint, row.status, row.body)

    async def save(self, connection: AsyncConnection) -> None:
        """Write all that came of it."""
        writes, writing = Writes(), self._decider.writing
        save_state(writes, self._state)
        save_log_rows(writes, writing.rows, writing.firsts, [])
        save_closings(writes, [], writing.closings.moved)
        await writes.flush(connection)

    def _take_over(self, row: LogRow) -> None:
        """Let the replay of a dead letter have the command id that the dead letter claimed."""
        key = key_of(row)
        if key is not None and self._known.pop(key, None) is not None:
            self._decider.writing.closings.taken_over.add(key)

    def _seen_by(self, logged: Logged, incoming: Incoming) -> State:
        """Return the state that a command saw: for an order perhaps an earlier one."""
        command = incoming.command
        is_fresh = logged.row.disposition in _FRESH and key_of(logged.row) not in self._known
        if not isinstance(command, commands.CreateOrder) or not is_fresh:
            return self._state
        terms = self._rulebook.terms(logged.row.accepted_at_ms, incoming.record.place)
        for state in self._states(logged, command):
            told = answer(decide(state, command, terms).outcome)
            if is_told(logged.row, told):
                self._past.looked_back += state is not self._state
                return state
        return self._state

    def _states(self, logged: Logged, command: commands.CreateOrder) -> Iterator[State]:
        yield self._state
        yield from self._past.earlier.states(logged.id, self._state, command)


def key_of(row: LogRow) -> CommandKey | None:
    """Return what a row's command is known by; None for what was no command."""
    if row.principal is None or row.command_id is None:
        return None
    return CommandKey(row.principal, row.command_id)
