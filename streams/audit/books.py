"""What an audit keeps in mind while it reads: findings, accounts, stock, the log's horizon."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit.accounts import Accounts
from domain.audit.findings import OUTCOMES, STOCK, Findings, Invariant
from domain.audit.stock import Stock
from storage.audit import load_taken_over
from storage.command_log import LogRow
from storage.marks import find_log_epoch, load_marks
from storage.retention import load_pruned
from streams.audit.facts import UNREADABLE
from streams.records import Partition

Watch = Callable[[str, int, int], None]
"""Shows progress: the table that is read, how many of its rows, and about how many there are."""

Place = tuple[int, str, int, int]
"""Where a record stands: log epoch, topic, partition, offset."""


class Horizon(NamedTuple):
    """What the command log can tell: its epoch and marks, and since when it is whole."""

    epoch: int
    marks: dict[Partition, int]
    kept_since_ms: int
    """0 where nothing was pruned."""
    taken_over: frozenset[Place]
    """The replays of dead letters: a command id may lead to them and not to its first row."""

    @property
    def is_whole(self) -> bool:
        """Tell whether the log goes back to the beginning."""
        return not self.kept_since_ms


async def load_horizon(connection: AsyncConnection) -> Horizon:
    """Load how far the command log goes, in both directions."""
    epoch = await find_log_epoch(connection)
    marks = await load_marks(connection)
    pruned = [p for p in (await load_pruned(connection)).values() if p.pruned_rows]
    return Horizon(
        epoch=epoch.epoch if epoch else max((mark.epoch for mark in marks.values()), default=0),
        marks={place: mark.next_offset for place, mark in marks.items()},
        kept_since_ms=max((each.pruned_until_ms + 1 for each in pruned), default=0),
        taken_over=frozenset(await load_taken_over(connection)),
    )


@dataclass(slots=True)
class Books:
    """One audit's memory. Nothing in it grows with the rows; the stock does with the products."""

    horizon: Horizon
    watch: Watch
    findings: Findings = field(default_factory=Findings)
    stock: Stock = field(default_factory=Stock)
    accounts: Accounts = field(init=False)
    expected: dict[str, int] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Open the accounts from where the log is whole."""
        self.accounts = Accounts(self.horizon.kept_since_ms)
        if not self.horizon.is_whole:
            self.findings.of(STOCK).note = "not checked: the command log was pruned"

    def note(self, invariant: Invariant, faults: Iterable[str]) -> None:
        """Note that an invariant was looked at once more, and what is wrong."""
        finding = self.findings.of(invariant)
        finding.checked += 1
        for fault in faults:
            finding.violated(fault)

    def advance(self, table: str, rows: int) -> None:
        """Note that more rows of a table were read."""
        self.rows[table] += rows
        self.watch(table, self.rows[table], self.expected.get(table, 0))

    def reading(self, row: LogRow) -> "_Reading":
        """Open a block that reads a row of the command log; what cannot be read is a violation."""
        return _Reading(self, row)


class _Reading:
    """Made by `contextmanager` it would take five times as long, four times for each row."""

    __slots__ = ("_books", "_row")

    def __init__(self, books: Books, row: LogRow) -> None:
        self._books = books
        self._row = row

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, UNREADABLE):
            return False
        told = f"{shown(self._row)} cannot be read: {error!r}"
        self._books.findings.of(OUTCOMES).violated(told)
        return True


def place_of(row: LogRow) -> Place:
    """Return where a row's record stands."""
    return (row.epoch, row.topic, row.partition, row.offset)


def shown(row: LogRow) -> str:
    """Name a row of the command log in a violation."""
    command = f"{row.type or 'record'} {row.command_id or ''}".rstrip()
    return f"{command} at {row.topic}[{row.partition}] {row.offset}"
