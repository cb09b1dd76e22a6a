"""The checker notices: each defect, in a short run of the real thing, is found by its rule."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.chaos.checker.verdict import check
from tests.chaos.cluster import Servers, Shape
from tests.chaos.defective import DEFECTS, LOOSENED
from tests.chaos.run import Options, alive, carry_out
from tests.chaos.workload import Shares

AT_ONCE = 3
"""A run mostly waits: so many at the same time keep two cores busy, and no more."""

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


@pytest.fixture(scope="module")
def carried_out(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path | BaseException]:
    """The evidence of each defect's run, or what went wrong with it."""
    folders = {defect: tmp_path_factory.mktemp(defect) for defect, _, _ in CASES}
    ended = uvloop.run(
        side_by_side(
            servers,
            [options_of(defect, faults, folders[defect]) for defect, faults, _ in CASES],
        )
    )
    return {
        defect: error or folder
        for (defect, folder), error in zip(folders.items(), ended, strict=True)
    }


def options_of(defect: str, faults: dict[str, int], folder: Path) -> Options:
    return Options(
        seed=7,
        seconds=10,
        per_second=60,
        faults=faults,
        folder=folder,
        # A fence has two sides.
        shape=Shape(1, 2 if faults else 1, program=f"tests.chaos.defective {defect}"),
        shares=Shares(poison=0.0),
        loosened=LOOSENED.get(defect, ()),
        drain_seconds_max=10,
    )


async def side_by_side(servers: Servers, runs: list[Options]) -> list[BaseException | None]:
    """Carry runs out, each on an installation of its own; tell what each of them raised."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(options: Options) -> None:
        async with turns, alive(options, servers) as run:
            await carry_out(run)

    return await asyncio.gather(*map(in_turn, runs), return_exceptions=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("defect", "rule"), [(defect, rule) for defect, _, rule in CASES])
def test_a_defect_is_noticed(
    carried_out: dict[str, Path | BaseException], defect: str, rule: str
) -> None:
    evidence = carried_out[defect]
    if isinstance(evidence, BaseException):
        raise evidence
    assert rule in {each for each, _ in check(evidence).violations}
