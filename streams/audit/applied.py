"""What applied rows of the command log say: facts for the accounts, pieces, and their events."""

from domain.audit.findings import EVENT_IDS, EVENTS
from storage.command_log import LogRow
from streams.audit.books import Books, place_of, shown
from streams.audit.facts import decode, events_of, facts_of

TELLS_EVENTS = ("PayOrder", "CancelOrder")
_SOURCE = ("epoch", "topic", "partition", "offset")


class AppliedRows:
    """Looks at the rows of commands that were applied."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.tellers: dict[str, int] = {}
        """How many commands have told events, by the ids of the rows at hand."""

    def look(self, row: LogRow) -> None:
        """Look at one row."""
        with self._books.reading(row):
            self._keep_accounts(row)
        with self._books.reading(row):
            self._look_at_events(row)

    def _keep_accounts(self, row: LogRow) -> None:
        for invariant, fact in list(facts_of(row)):
            self._books.accounts.first(invariant, [fact])
        if row.type == "DefineProduct":
            payload = decode(row.payload or "")
            self._books.stock.define(payload["productId"], payload["stock"])
        elif row.type == "RestockProduct":
            payload = decode(row.payload or "")
            self._books.stock.restock(payload["productId"], payload["quantity"])

    def _look_at_events(self, row: LogRow) -> None:
        source = dict(zip(_SOURCE, place_of(row), strict=True))
        for number, event in enumerate(list(events_of(row))):
            self._books.accounts.first(EVENTS, [event.fact])
            faults = []
            if event.event_id != f"{row.command_id}:{number}":
                faults.append(f"{shown(row)}: event {number} has the id {event.event_id}")
            if event.source != source:
                faults.append(f"{shown(row)}: event {number} names another source")
            self._books.note(EVENT_IDS, faults)
        tellers = self.tellers.get(row.command_id or "", 0)
        if row.type in TELLS_EVENTS and tellers > 1:
            told = f"{shown(row)}: {tellers} commands have told events under this id"
            self._books.note(EVENT_IDS, [told])
