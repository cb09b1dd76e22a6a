"""The commands of the command log carried out again, in the order of their ids, from nothing.

An id is drawn when its batch holds its locks, so the ids are an order in which one after the
other comes to the same: what is decided again, at the recorded times, has to come out again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit.findings import Finding, Invariant
from domain.needs import needs_of
from storage.audit import Logged, walk_log
from storage.command_log import find_known
from storage.engine import Database
from storage.state import load_state
from streams.audit.books import Watch, shown
from streams.audit.differing import difference_of, settings_of_then
from streams.audit.portion import Past, Portion, key_of
from streams.audit.rebuilt import UnreadableError, incoming_of, is_command
from streams.codec import Incoming
from streams.decisions import Rulebook

REPLAYED = Invariant("replayed-outcomes", "Each command comes out as it did, with its events.")


@dataclass(slots=True)
class LogReplay:
    """Decides the rows of one command log again, into a database that was empty."""

    target: Database
    rulebook: Rulebook
    past: Past
    finding: Finding = field(default_factory=lambda: Finding(REPLAYED))
    rows: int = 0
    _notes: set[str] = field(default_factory=set)

    async def run(self, source: AsyncConnection, watch: Watch, expected: int) -> None:
        """Carry out all that the source's command log holds."""
        async for rows in walk_log(source):
            # Events name the log epoch of their command.
            for epoch, portion in groupby(rows, lambda logged: logged.row.epoch):
                rulebook = replace(self.rulebook, epoch=epoch)
                await self._carry_out(rulebook, list(portion))
            self.rows += len(rows)
            watch("command_log", self.rows, expected)
        if self.past.looked_back:
            orders = f"{self.past.looked_back} orders saw what stood a moment before"
            self._notes.add(f"{orders}, for they are priced without a lock")
        self.finding.note = "; ".join(sorted(self._notes))

    async def _carry_out(self, rulebook: Rulebook, rows: Sequence[Logged]) -> None:
        again = dict(self._read(rows))
        keys = [key for _, row in rows if (key := key_of(row)) is not None]
        needs = needs_of(i.command for i in again.values() if i.command is not None)
        async with self.target.begin() as connection:
            known = await find_known(connection, keys)
            state = await load_state(connection, needs)
            portion = Portion(rulebook, state, known, self.past)
            for logged in rows:
                self._compare(portion, logged, again.get(logged.id))
            await portion.save(connection)

    def _read(self, rows: Sequence[Logged]) -> Iterator[tuple[int, Incoming]]:
        for logged in rows:
            try:
                if is_command(logged.row):
                    yield logged.id, incoming_of(logged)
            except UnreadableError as error:
                self.finding.violated(f"{shown(logged.row)} cannot be carried out: {error}")

    def _compare(self, portion: Portion, logged: Logged, incoming: Incoming | None) -> None:
        row = logged.row
        if incoming is None:
            portion.copy(row)
            return
        made = portion.carry_out(logged, incoming)
        self.finding.checked += 1
        difference = difference_of(row, made)
        if difference is not None:
            self.finding.violated(f"{shown(row)} {difference}")
            self._notes.update(settings_of_then(row, made, self.rulebook))
