"""An evidence folder, read once into a temporary database that every rule asks."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from .files import EvidenceError, Line, read_lines, read_object
from .reading import Reader, Readers, Row
from .tables import INDEXES, statements, width

# What is unfinished when a fault ends without a known recovery belongs to the fault.
RECOVERY_MS = 15_000
ROWS_AT_ONCE = 2_000
# Pages that stay in memory; the rest is on disk, so that an hour's evidence fits anywhere.
CACHE_KIB = 200_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was done to the system, and when it served again (None: not seen)."""

    kind: str
    target: str
    begin_ms: int
    end_ms: int
    recovered_ms: int | None

    @property
    def window_end_ms(self) -> int:
        """The end of the time in which answers may be late or missing for it."""
        return self.recovered_ms or self.end_ms + RECOVERY_MS


@dataclass(frozen=True, slots=True)
class Run:
    """What was to be done, as `run.json` tells it."""

    seed: int
    command: str
    started_at_ms: int
    ended_at_ms: int
    offered_per_second: float
    topic_prefix: str
    product_id_to_stock: dict[int, int]
    coupon_code_to_total: dict[str, int]
    balance_max: int
    faults: tuple[Fault, ...]


def read_run(folder: Path) -> Run:
    """Read `run.json`. Raises EvidenceError where a field is missing."""
    said = read_object(folder / "run.json")
    try:
        return _run(said)
    except (KeyError, TypeError, ValueError) as error:
        message = f"run.json: {error!r}"
        raise EvidenceError(message) from error


def _run(said: Line) -> Run:
    setup = said["setup"]
    return Run(
        seed=said["seed"],
        command=said["command"],
        started_at_ms=said["startedAtMs"],
        ended_at_ms=said["endedAtMs"],
        offered_per_second=said["offeredPerSecond"],
        topic_prefix=said["topicPrefix"],
        product_id_to_stock={each["productId"]: each["stock"] for each in setup["products"]},
        coupon_code_to_total={each["couponCode"]: each["total"] for each in setup["coupons"]},
        balance_max=said["limits"]["balanceMax"],
        faults=tuple(
            Fault(f["kind"], str(f["target"]), f["beginMs"], f["endMs"], f["recoveredMs"])
            for f in said["faults"]
        ),
    )


class Evidence:
    """All that a run left behind. Rules only read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = read_run(folder)
        self.ranking = read_object(folder / "ranking.json")
        # A database without a name is a file that SQLite makes, and removes when it is closed.
        self._database = sqlite3.connect("")
        self._load()

    def _load(self) -> None:
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        for statement in statements():
            self._database.execute(statement)
        for name, reader in Readers(self.run.topic_prefix).by_file():
            self._load_file(name, reader)
        for number, columns in enumerate(INDEXES):
            self._database.execute(f"CREATE INDEX index_{number} ON {columns}")
        self._database.execute("ANALYZE")

    def _load_file(self, name: str, reader: Reader) -> None:
        waiting: list[Row] = []
        for number, line in read_lines(self.folder / name):
            try:
                waiting.append(reader(line))
            except (KeyError, TypeError, ValueError, AttributeError, EvidenceError) as error:
                message = f"{name}:{number}: {error!r}"
                raise EvidenceError(message) from error
            if len(waiting) >= ROWS_AT_ONCE:
                self._insert(waiting)
                waiting = []
        self._insert(waiting)

    def _insert(self, rows: list[Row]) -> None:
        by_table = sorted(rows, key=itemgetter(0))
        for table, group in groupby(by_table, key=itemgetter(0)):
            marks = ", ".join("?" * width(table))
            values = (row for _, row in group)
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", values)

    def rows(self, query: str, *values: Any) -> Iterator[Any]:
        """Ask; each row is a tuple."""
        return iter(self._database.execute(query, values))

    def value(self, query: str, *values: Any) -> Any:
        """Ask for one value."""
        return self._database.execute(query, values).fetchone()[0]

    def close(self) -> None:
        """Remove the temporary database."""
        self._database.close()
