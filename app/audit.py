"""`fairline audit`: all that is stored held against itself, at one moment, read only."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.progress import Watch
from app.services.errors import StartError, one_line
from app.settings import Settings
from app.urls import without_password
from domain.audit.findings import Finding
from storage.audit import looking
from storage.engine import Database, create_database
from streams.audit.passes import audit as audit_all


class Verdict(NamedTuple):
    """What an audit found, of each invariant, and how many rows it read."""

    findings: tuple[Finding, ...]
    rows: int

    @property
    def violations(self) -> int:
        """How many violations there are in all."""
        return sum(finding.violations for finding in self.findings)


async def audit(settings: Settings, watch: Watch) -> Verdict:
    """Audit the database of these settings; raises StartError where it cannot be read."""
    async with opened(settings) as database, looking(database) as connection:
        books = await audit_all(connection, watch)
    return Verdict(books.findings.all, books.rows.total())


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of these settings, which must be there, while the block runs.

    Raises StartError where it is not there, or where a database fails in the block.
    """
    url = settings.sqlalchemy_url
    require_file(url)
    database = create_database(url, connections_max=2)
    try:
        yield database
    except (OSError, SQLAlchemyError) as error:
        message = f"the audit of {without_password(url)} cannot go on: {one_line(error)}"
        raise StartError(message) from error
    finally:
        await database.dispose()


def require_file(url: str) -> None:
    """See that an SQLite file is there: opening it would make an empty one. Raises StartError."""
    parsed = sa.make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    if is_file and not Path(parsed.database or "").is_file():
        message = f"there is no database {parsed.database}"
        raise StartError(message)


def described(verdict: Verdict) -> str:
    """Say in lines what was found: one for each invariant, the first violations, the verdict."""
    return "\n".join([*_lines(verdict.findings), _last_line(verdict)])


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        name, says = finding.invariant
        found = f"{finding.violations:,} VIOLATIONS" if finding.violations else "OK"
        if finding.note.startswith("not checked") and not finding.violations:
            found = "NOT CHECKED"
        yield f"{found:<14} {finding.checked:>12,}  {name:<17} {says}"
        if finding.note:
            yield f"{'':28}  {finding.note}"
        yield from (f"    {told}" for told in finding.first)
        if finding.violations > len(finding.first) > 0:
            yield f"    and {finding.violations - len(finding.first):,} more"


def _last_line(verdict: Verdict) -> str:
    broken = sum(1 for finding in verdict.findings if finding.violations)
    if not broken:
        return f"audit: OK, {len(verdict.findings)} invariants hold over {verdict.rows:,} rows"
    return (
        f"audit: {verdict.violations:,} VIOLATIONS of {broken} invariants in {verdict.rows:,} rows"
    )


class _Shown(msgspec.Struct, rename="camel"):
    name: str
    says: str
    checked: int
    violations: int
    first: list[str]
    note: str


def as_json(verdict: Verdict) -> str:
    """Return what was found as JSON."""
    invariants = [
        _Shown(*each.invariant, each.checked, each.violations, each.first, each.note)
        for each in verdict.findings
    ]
    shown = {
        "ok": not verdict.violations,
        "violations": verdict.violations,
        "rows": verdict.rows,
        "invariants": invariants,
    }
    return msgspec.json.encode(shown).decode()
