"""The checker notices: each defect, in a short run of the real thing, is found by its rule."""

from pathlib import Path

import pytest
import uvloop

from tests.chaos.checker.verdict import check
from tests.chaos.cluster import Servers, Shape
from tests.chaos.defective import LOOSENED
from tests.chaos.run import Options, alive, carry_out
from tests.chaos.workload import Shares

SMALL = {"edges": 1, "workers": 2}

#   defect                  fault that brings it to light    what the checker says
CASES = [
    ("mark_not_written", {}, ""),
    ("event_lost", {}, ""),
    ("double_application", {}, ""),
    ("fence_removed", {"worker_stop": 1}, ""),
    ("number_skipped", {}, ""),
    ("refused_out_of_turn", {}, ""),
]


@pytest.mark.parametrize(("defect", "faults", "said"), CASES)
def test_a_defect_is_noticed(
    servers: Servers, tmp_path: Path, defect: str, faults: dict[str, int], said: str
) -> None:
    options = Options(
        seed=7,
        seconds=10,
        per_second=60,
        faults=faults,
        folder=tmp_path,
        shape=Shape(**SMALL, program=f"tests.chaos.defective {defect}"),
        shares=Shares(poison=0.0),
        loosened=LOOSENED.get(defect, ()),
        drain_seconds_max=10,
    )
    uvloop.run(run(servers, options))
    rules = {rule for rule, _ in check(tmp_path).violations}
    assert said in rules, rules


async def run(servers: Servers, options: Options) -> None:
    async with alive(options, servers) as alive_run:
        await carry_out(alive_run)
