"""The rules alone, without a database: every reply is the one that the model predicts."""

from collections import Counter
from typing import Any, ClassVar

from domain.events import Reason
from domain.state import State
from storage.command_log import CommandKey, Disposition, Known, LogRow
from storage.marks import Mark
from streams.batch import sort_out
from streams.codec import CommandReader
from streams.decisions import BatchDecider, Rulebook
from streams.records import Place, Record
from tests.stateful.entities import Entities, facts_of
from tests.stateful.log_in_memory import TOPICS
from tests.stateful.machine import BALANCE_MAX, EXPIRY_MS, CommandMachine, place_of
from tests.stateful.model import HANDLERS
from tests.stateful.rounds import run_rounds

RULEBOOK = Rulebook(TOPICS, 1, BALANCE_MAX, EXPIRY_MS)


class PureMachine(CommandMachine):
    """Decides on one working state that lives as long as the machine."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.known: dict[CommandKey, Known] = {}
        self.reader = CommandReader(TOPICS)
        self.marks = {
            topic.name: {partition: Mark(topic.name, partition, 1, 0, 0) for partition in (0, 1)}
            for topic in TOPICS.commands
        }

    def apply(self, records: list[Record]) -> list[LogRow]:
        marks = self.marks[records[0].place.topic]
        clocks = {partition: mark.last_timestamp_ms for partition, mark in marks.items()}
        found = sort_out(records, marks, {record.place for record in records})
        decider = BatchDecider(RULEBOOK, self.state, self.known)
        for record in found.fresh:
            partition = record.place.partition
            clocks[partition] = max(clocks[partition], record.timestamp_ms)
            decider.decide(self.reader.read(record), clocks[partition])
        made = {place_of(row): row for row in decider.writing.rows}
        return [self._row(record.place, made) for record in records]

    def _row(self, place: Place, made: dict[Place, LogRow]) -> LogRow:
        return made[place] if place in made else self.rows[place]

    def facts(self) -> dict[str, Any]:
        state = self.state
        return facts_of(
            Entities(
                wallets=state.wallets.changed.values(),
                entries=state.balance_entries,
                products=state.products.changed.values(),
                coupons=state.coupons.changed.values(),
                copies=state.user_coupons.changed.values(),
                orders=state.orders.changed.values(),
            )
        )


def test_every_reply_is_the_models() -> None:
    # These two take an id that is known to the state and not to the log.
    unmet = {Reason.ORDER_EXISTS.value, Reason.CHARGE_EXISTS.value}
    reasons = {reason.value for reason in Reason} - unmet
    dispositions = {disposition.value for disposition in Disposition}
    run_rounds(PureMachine, reasons | dispositions | set(HANDLERS), examples=150, steps=60)
