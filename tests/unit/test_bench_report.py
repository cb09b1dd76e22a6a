"""From rounds to the report: what is paired, how a goal is judged, what a table shows."""

from pathlib import Path

import pytest
from msgspec import Raw

from app.services.errors import StartError
from benchmarks import goals, plans, progress, ratios, report, tables, whole
from benchmarks.goals import Goal
from benchmarks.load import Answers
from benchmarks.machine import Circumstances
from benchmarks.parts import Part
from benchmarks.report import PartFound
from benchmarks.rounds import Round

WAIT, REFUSE = ratios.LOCK.sides
(ROWS,) = ratios.ROW_LOCK.sides


def a_round(
    side: str, number: int, done: int, *, work: str = "coupon", p99_ms: float = 2
) -> Round:
    answers = Answers(2.0, {"200": done}, 0, p50_ms=1.0, p99_ms=p99_ms, max_ms=3.0)
    cpu = {"edge": done * 0.0002, "worker": done * 0.0003}
    return Round(work, side, 64, number, answers, done, [], 9, cpu, 0.0, 0.0)


def test_of_a_peers_variants_the_better_one_of_each_round_counts() -> None:
    runs = [
        *(a_round("Fairline", 1, 1000), a_round(WAIT, 1, 100), a_round(REFUSE, 1, 50)),
        *(a_round("Fairline", 2, 1200), a_round(WAIT, 2, 10), a_round(REFUSE, 2, 300)),
        *(a_round(ROWS, 1, 500), a_round(ROWS, 2, 400)),
    ]
    found = ratios.figures(runs)
    assert found["hot_coupon_vs_lock"] == [10.0, 4.0]
    assert found["hot_coupon_vs_row_lock"] == [2.0, 3.0]


def test_rounds_of_another_work_or_number_are_not_paired() -> None:
    runs = [
        a_round("Fairline", 1, 1000),
        a_round(WAIT, 2, 100),
        a_round(WAIT, 1, 100, work="charge"),
    ]
    assert "hot_coupon_vs_lock" not in ratios.figures(runs)


def test_a_peer_that_did_nothing_is_not_divided_by() -> None:
    runs = [a_round("Fairline", 1, 1000), a_round(WAIT, 1, 0)]
    assert "hot_coupon_vs_lock" not in ratios.figures(runs)


def test_the_p99_of_the_work_that_comes_off_worst_counts() -> None:
    runs = [
        *(a_round("Fairline", 1, 9, p99_ms=10), a_round(WAIT, 1, 9, p99_ms=100)),
        a_round("Fairline", 1, 9, p99_ms=40, work="charge"),
        a_round(WAIT, 1, 9, p99_ms=100, work="charge"),
    ]
    assert ratios.figures(runs)["p99_vs_lock"] == [0.4]


def test_the_cost_of_a_charge_is_that_of_edge_and_worker() -> None:
    [cost] = ratios.figures([a_round("Fairline", 1, 1000, work="charge")])["cpu_ms_per_charge"]
    assert cost == pytest.approx(0.5)


AT_LEAST = Goal("figure", "work", 5, 3.5)
AT_MOST = Goal("figure", "work", 0.45, 0.6, " ms", is_least=False, digits=2)


@pytest.mark.parametrize(
    ("goal", "values", "result"),
    [
        (AT_LEAST, [5.0], "reached"),
        (AT_LEAST, [4.9, 3.5, 1.0], "must reached, goal missed"),
        (AT_LEAST, [3.4], "missed"),
        (AT_MOST, [0.45], "reached"),
        (AT_MOST, [0.46], "must reached, goal missed"),
        (AT_MOST, [0.61], "missed"),
        (Goal("figure", "work", 5, None), [4.9], "missed"),
        (Goal("figure", "work", None, 0.6), [0.6], "reached"),
        (Goal("figure", "work", None, 0.6), [0.5], "missed"),
        (AT_LEAST, [], "not measured"),
    ],
)
def test_the_median_is_held_against_goal_and_must(
    goal: Goal, values: list[float], result: str
) -> None:
    assert goals.judge(goal, values).result == result


def test_the_goal_table_has_a_line_for_every_goal_with_its_range() -> None:
    lines = goals.table(goals.judge_all({"charge_vs_lock": [4.0, 6.0, 5.0]})).splitlines()
    assert len(lines) == 2 + len(goals.GOALS)
    [line] = [line for line in lines if line.startswith("| charge")]
    shown = "| charge, to (a) | >= 5 x | >= 3.5 x | 5.0 x | 4.0 to 6.0 in 3 rounds | reached |"
    assert line == shown


def test_a_table_has_a_row_for_each_side_ours_last_and_medians() -> None:
    runs = [
        *(a_round("Fairline", number, done) for number, done in ((1, 100), (2, 900), (3, 200))),
        a_round(WAIT, 1, 50),
    ]
    *_, theirs, ours = tables.table(runs).splitlines()
    assert theirs.startswith(f"| 64 | {WAIT} | 25 | 1.0 | 2 |")
    assert ours.startswith("| 64 | Fairline | 100 | 1.0 | 2 |")


def test_a_work_is_warmed_up_once_and_each_load_has_all_its_rounds() -> None:
    turns = plans.turns(plans.FULL)
    warm = [turn.work for turn in turns if turn.number == 0]
    assert warm == list(plans.FULL.works)
    assert len(turns) == len(warm) + 4 * len(plans.FULL.works) * plans.FULL.rounds


def test_a_plan_that_was_too_short_so_far_is_taken_to_be_so_in_what_is_left() -> None:
    assert progress.left(100, done_seconds=0, took_seconds=7) == 100
    assert progress.left(100, done_seconds=50, took_seconds=40) == 50
    assert progress.left(100, done_seconds=50, took_seconds=100) == 100
    assert progress.left(100, done_seconds=110, took_seconds=100) == 0


def a_report(**figures: list[float]) -> report.Report:
    around = Circumstances(
        *("today", "abc", "python -m benchmarks", "a processor", 2, 4, "Linux", "3.11", 0.1),
        generator="wrk",
        services={},
    )
    return report.Report(around, "goals", dict(figures), [])


def a_part(outcome: PartFound | Exception) -> Part:
    async def run(_folder: Path) -> PartFound:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Part("growth", 1, run)


async def test_a_part_adds_its_figures_and_the_closed_loops_own_come_first(tmp_path: Path) -> None:
    found = a_report(charge_vs_lock=[1.0, 2.0])
    told = PartFound("growth", {"charge_vs_lock": [9.0], "growth_ratio": [1.1]}, "", Raw(b"{}"))
    await whole.run_part(a_part(told), tmp_path, found)
    assert found.figures == {"charge_vs_lock": [1.0, 2.0], "growth_ratio": [1.1]}
    assert found.faults() == []


async def test_a_part_that_cannot_be_measured_is_told_and_one_that_is_wrong_is_a_fault(
    tmp_path: Path,
) -> None:
    found = a_report()
    await whole.run_part(a_part(StartError("there is no wrk")), tmp_path, found)
    assert (found.missing, found.faults()) == ({"growth": "there is no wrk"}, [])
    await whole.run_part(a_part(RuntimeError("3 of 4 applied")), tmp_path, found)
    assert found.faults() == ["growth: 3 of 4 applied"]


def test_a_page_shows_each_part_with_its_pictures_and_names_what_is_missing() -> None:
    found = a_report()
    found.parts = [PartFound("open_loop", {}, "a table", Raw(b"{}"))]
    found.missing = {"growth": "there is no wrk"}
    text = report.page(found, ["performance/open_loop.svg", "performance/other.svg"])
    assert "### Open loop\n\n![open_loop](performance/open_loop.svg)\n\na table\n" in text
    assert "other.svg" not in text
    assert "*growth*: not in this report: there is no wrk." in text


def test_a_report_is_put_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    report.publish("new", page=page)
    shown = "before\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nafter\n"
    assert page.read_text() == shown
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no marks"):
        report.publish("new", page=page)
