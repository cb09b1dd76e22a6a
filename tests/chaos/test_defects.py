"""The checker notices: each defect, in a short run of the real thing, is found by its rule."""

from pathlib import Path

import pytest
import uvloop

from tests.chaos.checker.verdict import check
from tests.chaos.cluster import Servers, Shape
from tests.chaos.defective import DEFECTS, LOOSENED
from tests.chaos.run import Options, alive, carry_out
from tests.chaos.workload import Shares

#   defect                  the fault that shows it  a rule that finds it
CASES: list[tuple[str, dict[str, int], str]] = [
    ("mark_not_written", {}, "every_record_has_one_row"),
    ("event_lost", {}, "order_events_equal_the_orders"),
    ("double_application", {}, "every_command_has_one_first_row"),
    ("fence_removed", {"worker_stop": 1}, "every_record_has_one_row"),
    ("number_skipped", {}, "numbers_have_no_gap"),
    ("refused_out_of_turn", {}, "first_come_first_served"),
]


def test_each_defect_has_a_case() -> None:
    assert [defect for defect, _, _ in CASES] == list(DEFECTS)


@pytest.mark.parametrize(("defect", "faults", "rule"), CASES)
def test_a_defect_is_noticed(
    servers: Servers, tmp_path: Path, defect: str, faults: dict[str, int], rule: str
) -> None:
    options = Options(
        seed=7,
        seconds=10,
        per_second=60,
        faults=faults,
        folder=tmp_path,
        # A fence has two sides.
        shape=Shape(1, 2 if faults else 1, program=f"tests.chaos.defective {defect}"),
        shares=Shares(poison=0.0),
        loosened=LOOSENED.get(defect, ()),
        drain_seconds_max=10,
    )
    uvloop.run(run(servers, options))
    assert rule in {each for each, _ in check(tmp_path).violations}


async def run(servers: Servers, options: Options) -> None:
    async with alive(options, servers) as alive_run:
        await carry_out(alive_run)
