"""The embedded installation as a side: `fairline run`, with its own Kafka and an SQLite file."""

import os
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from app.services.child import Child, Launch
from app.services.ports import free_port
from benchmarks.fairline import PROGRAM
from benchmarks.ledger import CHARGES, Applied
from benchmarks.sides import charges_while_alive, wait_until

STOP_SECONDS = 15.0


@dataclass(frozen=True)
class FileLedger:
    """Counts what the SQLite file holds."""

    file: Path

    async def applied(self, work: str, code: str) -> Applied:
        """Count the charges; nothing else is sent to this side."""
        assert work == "charge", code
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            count, agrees = connection.execute(CHARGES).fetchone()
        return Applied(count, bool(agrees))


@dataclass(frozen=True)
class Embedded:
    """Everything that `fairline run` starts."""

    url: str
    part_to_pid: Mapping[str, int]
    ledger: FileLedger
    name: str = "Fairline, embedded"
    works: tuple[str, ...] = ("charge",)

    async def open_coupon(self, code: str) -> None:
        """Not asked for: it is measured by charges."""
        raise NotImplementedError(code)

    async def open_shop(self) -> None:
        """Not asked for: it is measured by charges."""
        raise NotImplementedError


@asynccontextmanager
async def start_embedded(folder: Path) -> AsyncIterator[Embedded]:
    """Run it in a folder of its own until the end of the block; its demo data is there then."""
    data, log, port = folder / "embedded", folder / "embedded.log", free_port()
    # What names services for other sides is not for this one.
    given = {name: value for name, value in os.environ.items() if "FAIRLINE_" not in name}
    environment = given | {
        "FAIRLINE_DATA_DIR": str(data),
        "FAIRLINE_HTTP_PORT": str(port),
        "FAIRLINE_WORKER_PORT": str(free_port()),
        "FAIRLINE_RANKING_PORT": str(free_port()),
    }
    child = Child(Launch([PROGRAM, "run"], log=log, environment=environment))
    url = f"http://127.0.0.1:{port}"

    async def is_ready() -> bool:
        # The seed comes last; before it, its charges would be counted as ours.
        return await charges_while_alive(url, {log: child}) and (data / "seeded").exists()

    try:
        await wait_until(is_ready, "the embedded installation")
        yield Embedded(url, {"all": child.pid}, FileLedger(data / "fairline.db"))
    finally:
        child.stop(STOP_SECONDS)
