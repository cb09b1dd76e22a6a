"""Kills, outages and poison in a few minutes: nothing is lost, and nothing is done twice."""

from pathlib import Path

import pytest
import uvloop

from tests.chaos.checker.verdict import check
from tests.chaos.cluster import Servers
from tests.chaos.figures import figures_of
from tests.chaos.run import Options, alive, carry_out

FAULTS = {
    "worker_kill": 5,
    "broker_kill": 2,
    "database_kill": 2,
    "worker_stop": 2,
    "redis_outage": 1,
}
SEED = 20261123
BUSY = 4.0
"""A machine that does other things as well may take so many times as long to recover."""


@pytest.mark.timeout(900)
def test_nothing_is_lost_and_nothing_is_done_twice(servers: Servers, tmp_path: Path) -> None:
    options = Options(seed=SEED, seconds=150, per_second=200, faults=FAULTS, folder=tmp_path)
    stuck = uvloop.run(run(servers, options))
    verdict = check(tmp_path)
    assert verdict.violations == []
    assert verdict.counts_as_run, verdict.shortcomings
    assert stuck == []
    assert figures_of(tmp_path, slack=BUSY).missed == []


async def run(servers: Servers, options: Options) -> list[str]:
    async with alive(options, servers) as alive_run:
        return await carry_out(alive_run)
