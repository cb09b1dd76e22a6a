"""The facts of all tables, told twice and compared: by the log and by the state."""

from collections.abc import Iterable

from domain.audit.facts import Fact
from domain.audit.findings import (
    CLAIMS,
    CREATED,
    DEAD_LETTERS,
    ENTRIES,
    EVENTS,
    ISSUES,
    PAID,
    PAYMENTS,
    SPENT,
    Findings,
    Invariant,
)
from domain.audit.tally import Tally

# Which account is the first and which the second, as violations name them.
_ACCOUNTS = {
    ENTRIES: ("the command log", "the balance entries"),
    CREATED: ("the command log", "the orders"),
    PAID: ("the command log", "the orders"),
    EVENTS: ("the events", "the orders"),
    ISSUES: ("the command log", "the copies"),
    PAYMENTS: ("the balance entries", "the orders"),
    SPENT: ("the copies", "the orders"),
    CLAIMS: ("the command log", "the command ids"),
    DEAD_LETTERS: ("the command log", "the dead letters"),
}


class Accounts:
    """A tally for each invariant that two tables tell.

    `since_ms`: what the log may have told of an older fact was pruned, so it does not count.
    """

    def __init__(self, since_ms: int) -> None:
        self._tallies = {invariant: Tally() for invariant in _ACCOUNTS}
        self._since_ms = dict.fromkeys(_ACCOUNTS, since_ms)
        # These two are told by the state alone, and nothing of it is pruned.
        self._since_ms[PAYMENTS] = self._since_ms[SPENT] = -1

    def first(self, invariant: Invariant, facts: Iterable[Fact]) -> None:
        """Let the first account of an invariant tell facts."""
        add, since_ms = self._tallies[invariant].add, self._since_ms[invariant]
        for fact in facts:
            if fact.at_ms >= since_ms:
                add(repr(fact))

    def second(self, invariant: Invariant, facts: Iterable[Fact]) -> None:
        """Let the second account of an invariant tell facts."""
        take, since_ms = self._tallies[invariant].take, self._since_ms[invariant]
        for fact in facts:
            if fact.at_ms >= since_ms:
                take(repr(fact))

    def tally(self, invariant: Invariant) -> Tally:
        """Return the tally of facts that have no time."""
        return self._tallies[invariant]

    def close(self, findings: Findings) -> None:
        """Note every fact that one account told and the other did not."""
        for invariant, tally in self._tallies.items():
            finding = findings.of(invariant)
            finding.checked += tally.added
            for each in tally.differences():
                finding.violated(_told(invariant, each.fact, each.surplus), each.violations)


def _told(invariant: Invariant, fact: str | None, surplus: int) -> str:
    first, second = _ACCOUNTS[invariant]
    if fact is None:
        return f"{first} and {second} differ in several facts that cannot be told apart"
    teller, silent = (first, second) if surplus > 0 else (second, first)
    times = f" {abs(surplus)} times" if abs(surplus) > 1 else ""
    return f"{teller} say{_s(teller)}{times}, and {silent} do{_es(silent)} not: {fact}"


def _s(teller: str) -> str:
    return "s" if teller == "the command log" else ""


def _es(silent: str) -> str:
    return "es" if silent == "the command log" else ""
