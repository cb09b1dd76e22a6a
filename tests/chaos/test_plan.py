"""What a run does is drawn from its seed: the same attempts, the same faults, in one order."""

import itertools
import struct
from pathlib import Path

from tests.chaos import poison
from tests.chaos.checker.worth import OUTSIDE_SHARE_MIN
from tests.chaos.clock import set_skew, skewed
from tests.chaos.nemesis import Fault, rest_seconds
from tests.chaos.schedule import KINDS, LONG, schedule
from tests.chaos.workload import PATHS, TOPICS, Planned, Shares, Workload


def drawn(seed: int, number: int = 4_000) -> list[Planned]:
    workload = Workload(seed, Shares())
    return workload.setup() + list(itertools.islice(workload.attempts(), number))


def test_a_seed_gives_one_plan() -> None:
    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_most_attempts_are_retries_of_the_same_content() -> None:
    plan = {each.number: each for each in drawn(1)}
    retries = [each for each in plan.values() if each.retry_of]
    for retry in retries:
        assert retry.retry_of is not None
        first = plan[retry.retry_of]
        assert (retry.id, retry.type, retry.payload) == (first.id, first.type, first.payload)
        assert retry.channel == first.channel or retry.crosses
    commands = sum(each.type != "Poison" for each in plan.values())
    assert 0.55 < len(retries) / commands < 0.65


def test_every_command_and_every_kind_of_poison_is_drawn() -> None:
    plan = drawn(2, 20_000)
    assert {each.type for each in plan} == {*TOPICS, "Poison"}
    assert {e.type for e in plan if e.channel == "http"} == set(PATHS)
    kinds = {each.payload["kind"] for each in plan if each.type == "Poison"}
    assert kinds == set(poison.KINDS)


def test_every_poison_can_be_made() -> None:
    for kind, planned in itertools.product(poison.KINDS, drawn(3, 5)):
        raw = poison.make(kind, planned.id, 1, 4)
        assert 0 <= raw.partition < 4


def test_all_faults_that_are_wanted_come_within_the_time() -> None:
    dues = schedule(9, 3_600, LONG)
    assert {kind: sum(due.kind == kind for due in dues) for kind in KINDS} == LONG
    assert dues == sorted(dues, key=lambda due: due.at_seconds)
    assert dues[-1].at_seconds < 3_600
    assert schedule(9, 3_600, LONG) == dues != schedule(10, 3_600, LONG)


def test_the_nemesis_leaves_more_peace_than_the_checker_asks_for() -> None:
    fault = Fault("worker_kill", "worker-1", begin_ms=1_000)
    rest = rest_seconds(fault, 41_000)
    assert rest == 10
    assert rest / (40 + rest) == 2 * OUTSIDE_SHARE_MIN


def test_a_clock_follows_its_file(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    set_skew(file, 0)
    time_ns, _ = skewed(file)
    before = time_ns()
    set_skew(file, -600)
    assert time_ns() < before - 590 * 10**9
    assert struct.unpack("q", file.read_bytes()) == (-600 * 10**9,)
