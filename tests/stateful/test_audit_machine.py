"""Whatever a random history leaves behind: an audit finds it in order, and it comes out again."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest

from domain.audit.findings import Finding
from storage.audit import looking
from storage.command_log import Disposition
from storage.engine import Database, create_database
from storage.migrate import upgrade
from streams.audit.comparing import compare_states
from streams.audit.passes import audit
from streams.audit.portion import Past
from streams.audit.replay import LogReplay
from tests.stateful.machine import CommandMachine
from tests.stateful.rounds import run_rounds
from tests.stateful.test_batch_machine import RULEBOOK, BatchMachine, start_anew


class AuditedMachine(BatchMachine):
    """The real batch on a real database; when a history is over, it is audited."""

    again: ClassVar[str]
    """The URL of the database in which it is carried out again."""

    def teardown(self) -> None:
        CommandMachine.teardown(self)
        target = create_database(self.again, connections_max=2)
        violated = self.runner.run(audited(self.databases[0], target))
        self.close()
        assert violated == []


async def audited(database: Database, target: Database) -> list[Finding]:
    await start_anew(target)
    replay = LogReplay(target, RULEBOOK, Past(frozenset()))
    async with looking(database) as connection:
        books = await audit(connection, lambda *_: None)
        await replay.run(connection, lambda *_: None, 0)
        async with target.snapshot() as made:
            states = await compare_states(connection, made, lambda *_: None)
    await target.dispose()
    found = (*books.findings.all, replay.finding, *states)
    return [finding for finding in found if finding.violations]


@pytest.fixture(params=["sqlite", "postgres"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> type[AuditedMachine]:
    url, again = (f"sqlite+aiosqlite:///{tmp_path / name}" for name in ("shop.db", "again.db"))
    if request.param == "postgres":
        plain: str = request.getfixturevalue("database_url")
        url = plain.replace("postgresql://", "postgresql+asyncpg://")
    for each in (url, again):
        upgrade(each)
    return type("Machine", (AuditedMachine,), {"url": url, "again": again, "seen": Counter()})


def test_every_history_is_in_order_and_comes_out_again(machine: type[AuditedMachine]) -> None:
    dispositions = {disposition.value for disposition in Disposition}
    run_rounds(machine, dispositions, examples=5, steps=40)
