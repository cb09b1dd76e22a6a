"""The goals, and whether what was measured reaches them. Pure: no clock, no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec


@dataclass(frozen=True)
class Goal:
    """What a figure should be, and what it has to be. None: nothing is asked."""

    figure: str
    work: str
    goal: float | None
    must: float | None
    unit: str = " x"
    is_least: bool = True
    """Whether the figure should be at least so much, or else at most."""
    digits: int = 1


def _at_most(figure: str, work: str, goal: float, must: float | None, unit: str) -> Goal:
    return Goal(figure, work, goal, must, unit, is_least=False, digits=2)


GOALS = (
    Goal("hot_coupon_vs_lock", "hot coupon, to (a)", 40, 20),
    Goal("hot_coupon_vs_row_lock", "hot coupon, to (b)", 12, 6),
    Goal("charge_vs_lock", "charge, to (a)", 5, 3.5),
    Goal("orders_vs_lock", "create + pay, to (a)", 4, 3),
    Goal("orders_vs_row_lock", "create + pay, to (b)", 4, 3),
    _at_most("p99_vs_lock", "p99, to (a), the worst of the three works", 0.33, 0.5, " x"),
    _at_most("single_p50_ms_real", "one request at a time, real services, p50", 7, 9, " ms"),
    _at_most("single_p50_ms_embedded", "one request at a time, embedded, p50", 7, 9, " ms"),
    Goal("drain_charges_per_second", "drain by one worker, charges", 10_000, None, "/s", digits=0),
    Goal("drain_issues_per_second", "drain by one worker, issues", 10_000, None, "/s", digits=0),
    Goal("drain_vs_faust", "drain, to Faust with an empty body", None, 0.6, " x", digits=2),
    _at_most("cpu_ms_per_charge", "CPU per charge, edge + worker", 0.45, 0.6, " ms"),
    Goal("top_vs_bare", "top, to a bare handler", 0.6, None, " x", digits=2),
    Goal("balance_vs_query", "balance, to a handler with one query", 0.8, None, " x", digits=2),
    _at_most("growth_ratio", "cost per command, full to empty database", 1.2, 1.5, " x"),
    _at_most("two_workers_cpu_ratio", "CPU per command, two workers to one", 1.1, None, " x"),
)


class Verdict(msgspec.Struct):
    """One line of the goal table."""

    figure: str
    work: str
    goal: str
    must: str
    measured: str
    spread: str
    result: str


def judge_all(figures: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """Every goal, also those of which nothing is known."""
    return [judge(goal, figures.get(goal.figure, ())) for goal in GOALS]


def judge(goal: Goal, values: Sequence[float]) -> Verdict:
    """Hold the median of the values against a goal."""
    measured = f"{_shown(goal, median(values))}{goal.unit}" if values else ""
    return Verdict(
        goal.figure,
        goal.work,
        goal=_bound(goal, goal.goal),
        must=_bound(goal, goal.must),
        measured=measured,
        spread=_spread(goal, values),
        result=_result(goal, median(values)) if values else "not measured",
    )


def _result(goal: Goal, value: float) -> str:
    if goal.goal is not None and _reaches(goal, value, goal.goal):
        return "reached"
    if goal.must is not None and _reaches(goal, value, goal.must):
        return "reached" if goal.goal is None else "must reached, goal missed"
    return "missed"


def _reaches(goal: Goal, value: float, bound: float) -> bool:
    return value >= bound if goal.is_least else value <= bound


def _bound(goal: Goal, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{'>=' if goal.is_least else '<='} {bound:,g}{goal.unit}"


def _shown(goal: Goal, value: float) -> str:
    return f"{value:,.{goal.digits}f}"


def _spread(goal: Goal, values: Sequence[float]) -> str:
    if len(values) < 2:
        return ""
    return f"{_shown(goal, min(values))} to {_shown(goal, max(values))} in {len(values)} rounds"


def table(verdicts: Sequence[Verdict]) -> str:
    """The goal table, as Markdown."""
    head = "| work | goal | must | measured | range | |\n|---|--:|--:|--:|--:|---|"
    rows = [
        f"| {each.work} | {each.goal} | {each.must} | {each.measured} | {each.spread}"
        f" | {each.result} |"
        for each in verdicts
    ]
    return "\n".join([head, *rows])
