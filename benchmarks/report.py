"""From rounds to a table: medians, paired ratios, and the page that shows them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.machine import Circumstances
from benchmarks.rounds import Round

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
MARKS = "<!-- {style}: begin -->", "<!-- {style}: end -->"
OURS = "Fairline"
GOALS = {"charge": 2.0, "coupon": 15.0}
TITLES = {"charge": "charge, 20,000 users", "coupon": "hot coupon, each time another user"}
PARTS = ("edge", "worker", "server", "database", "broker", "cache")
HEAD = (
    "| work | side | done/s | p50 ms | p99 ms | refused | per commit | "
    + " | ".join(PARTS)
    + " | all |\n|---|---|--:|--:|--:|--:|--:|"
    + "--:|" * (len(PARTS) + 1)
)


def page(rounds: Sequence[Round], around: Circumstances) -> str:
    """The figures as Markdown, for a terminal and for the page alike."""
    blocks = (around.lines(), [table(rounds)], verdicts(rounds))
    return "\n\n".join("\n".join(lines) for lines in blocks)


def table(rounds: Sequence[Round]) -> str:
    """One row per work and side, medians over the rounds; CPU in ms per command done."""
    keys = dict.fromkeys((each.work, each.side) for each in rounds)
    return "\n".join([HEAD, *(_row(_of(rounds, work, side)) for work, side in keys)])


def _of(rounds: Sequence[Round], work: str, side: str) -> list[Round]:
    return [each for each in rounds if (each.work, each.side) == (work, side)]


def _row(rounds: list[Round]) -> str:
    def middle(figure: Callable[[Round], float]) -> float:
        return median(figure(each) for each in rounds)

    costs = [_cost(rounds, part) for part in PARTS]
    known = [cost for cost in costs if cost is not None]
    cells = [
        TITLES[rounds[0].work],
        rounds[0].side,
        f"{middle(lambda each: each.per_second):,.0f}",
        f"{middle(lambda each: each.answers.p50_ms):.1f}",
        f"{middle(lambda each: each.answers.p99_ms):.0f}",
        f"{middle(_refused_share):.1%}",
        f"{middle(_done_per_commit):.1f}",
        *("" if cost is None else f"{cost:.2f}" for cost in costs),
        f"{sum(known):.2f}" if known else "",
    ]
    return f"| {' | '.join(cells)} |"


def _cost(rounds: list[Round], part: str) -> float | None:
    costs = [each.cpu_ms(part) for each in rounds]
    known = [cost for cost in costs if cost is not None]
    return median(known) if known else None


def _refused_share(each: Round) -> float:
    total = sum(each.answers.statuses.values())
    return 1 - each.answers.accepted / total if total else 0.0


def _done_per_commit(each: Round) -> float:
    return each.answers.accepted / max(each.transactions, 1)


def ratios(rounds: Sequence[Round]) -> dict[tuple[str, str], list[float]]:
    """For each work and variant of the peer: ours to the peer's, round by round."""
    found: dict[tuple[str, str], list[float]] = {}
    ours = {(each.work, each.number): each for each in rounds if each.side == OURS}
    for peer in (each for each in rounds if each.side != OURS and each.per_second > 0):
        mine = ours.get((peer.work, peer.number))
        if mine is not None:
            ratio = mine.per_second / peer.per_second
            found.setdefault((peer.work, peer.side), []).append(ratio)
    return found


def verdicts(rounds: Sequence[Round]) -> list[str]:
    """The ratios with their goals, and what the idle side cost meanwhile."""
    lines = []
    for (work, peer), paired in ratios(rounds).items():
        middle, goal = median(paired), GOALS[work]
        word = "reached" if middle >= goal else "missed"
        spread = f"{min(paired):.1f} to {max(paired):.1f} in {len(paired)} rounds"
        lines.append(
            f"- {TITLES[work]}, to {peer}: **{middle:.1f} x** ({spread}); "
            f"goal {goal:.0f} x: {word}"
        )
    if idle := [each for each in rounds if each.side != OURS]:
        share = median(each.standing_by_seconds / each.answers.seconds for each in idle)
        lines.append(f"- standing by while the peer runs: {share:.1%} of one core")
    foreign = median(each.foreign_share for each in rounds)
    lines.append(f"- other processes had {foreign:.1%} of the machine's CPU time meanwhile")
    return lines


def faults(rounds: Sequence[Round]) -> list[str]:
    """Everything that did not bear checking."""
    return [
        f"{each.work}, {each.side}, round {each.number}: {fault}"
        for each in rounds
        for fault in each.faults
    ]


def publish(text: str, style: str, page: Path = PAGE) -> None:
    """Put the figures between the marks of a page, by default those of this style of the peer."""
    begin, end = (mark.format(style=style) for mark in MARKS)
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
