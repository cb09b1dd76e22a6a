"""The state of two databases compared, table by table, whatever the order of their rows."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit.findings import Finding, Invariant
from domain.audit.tally import Tally
from storage.audit_tables import STATE_TABLES, columns_of, walk_state
from streams.audit.books import Watch


async def compare_states(
    source: AsyncConnection, target: AsyncConnection, watch: Watch
) -> list[Finding]:
    """Compare all tables of the state; `target` is what came of carrying out the log again."""
    return [await _compare(name, source, target, watch) for name in STATE_TABLES]


async def _compare(
    name: str, source: AsyncConnection, target: AsyncConnection, watch: Watch
) -> Finding:
    tally, rows_read = Tally(), 0
    async for rows in walk_state(source, name):
        for row in rows:
            tally.add(repr(row))
        rows_read += len(rows)
        watch(name, rows_read, 0)
    async for rows in walk_state(target, name):
        for row in rows:
            tally.take(repr(row))
    finding = Finding(Invariant(f"replayed-{name}", f"The rows of {name} are the same."))
    finding.checked = tally.added
    for each in tally.differences():
        whose = "only stored" if each.surplus > 0 else "only after the replay"
        told = each.fact or "several rows that cannot be told apart"
        finding.violated(f"{whose}: {columns_of(name)} = {told}", each.violations)
    return finding
