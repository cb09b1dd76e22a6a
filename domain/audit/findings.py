"""What an audit looks at, in words for people, and what it found."""

from dataclasses import dataclass, field
from typing import NamedTuple

# A list of every violation would be a dump of the database where all of it is wrong.
SHOWN_MAX = 20


class Invariant(NamedTuple):
    """What must hold, by a name for programs and a sentence for people."""

    name: str
    says: str


BALANCES = Invariant("balances", "A wallet holds the sum of its entries, as the last one left it.")
RUNNING_BALANCES = Invariant(
    "running-balances", "Each entry adds to what the one before it left, and none leaves a debt."
)
ENTRIES = Invariant(
    "entries", "Entries are what charges, credits, payments, refunds of the log made."
)
PAYMENTS = Invariant("payments", "Each paid order was taken from a balance once, and given back.")
ORDERS = Invariant("orders", "An order's sums and times agree with its lines and its status.")
CREATED = Invariant("created-orders", "Orders and lines are what the log says was created.")
PAID = Invariant("paid-orders", "Orders are paid and cancelled as the log says, each once.")
EVENTS = Invariant("events", "Each payment, cancellation and sale was told once, and no other.")
EVENT_IDS = Invariant("event-ids", "Ids of events are their command's, numbered, and unique.")
STOCK = Invariant("stock", "What was put in less what paid orders hold is left, never below 0.")
COPIES = Invariant("copies", "A coupon's copies are numbered 1 to issued, and no more than total.")
ISSUES = Invariant("issued-copies", "Copies are what the log says was issued.")
SPENT = Invariant("spent-copies", "A spent copy and a paid order name each other.")
FIRST_COME = Invariant(
    "first-come", "Copies go by the log: none is sold out before one who came later is served."
)
LOG_ORDER = Invariant("log-order", "A partition's rows follow its offsets and lie below its mark.")
OUTCOMES = Invariant("outcomes", "Statuses agree with dispositions, repeats with their first.")
CLAIMS = Invariant("claims", "Each command id leads to its first row, and each first row has one.")
DEAD_LETTERS = Invariant("dead-letters", "Dead letters and DEAD rows belong together.")

INVARIANTS = (
    BALANCES,
    RUNNING_BALANCES,
    ENTRIES,
    PAYMENTS,
    ORDERS,
    CREATED,
    PAID,
    EVENTS,
    EVENT_IDS,
    STOCK,
    COPIES,
    ISSUES,
    SPENT,
    FIRST_COME,
    LOG_ORDER,
    OUTCOMES,
    CLAIMS,
    DEAD_LETTERS,
)


@dataclass(slots=True)
class Finding:
    """How often an invariant was looked at, and where it did not hold: the first of them."""

    invariant: Invariant
    checked: int = 0
    violations: int = 0
    first: list[str] = field(default_factory=list)
    note: str = ""
    """What could not be looked at, and why."""

    def violated(self, told: str, times: int = 1) -> None:
        """Note that it does not hold, and where."""
        self.violations += times
        if len(self.first) < SHOWN_MAX:
            self.first.append(told)


class Findings:
    """A finding for each invariant."""

    def __init__(self) -> None:
        self.all = tuple(Finding(invariant) for invariant in INVARIANTS)
        self._by_name = {finding.invariant.name: finding for finding in self.all}

    def of(self, invariant: Invariant) -> Finding:
        """Return what was found of an invariant so far."""
        return self._by_name[invariant.name]

    @property
    def violations(self) -> int:
        """Return how many violations there are of all invariants together."""
        return sum(finding.violations for finding in self.all)
