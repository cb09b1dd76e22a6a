"""The tables of the closed loop, as Markdown: medians over the rounds, and ratios. Pure."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.ratios import DESIGNS, LOCK, OURS, pairs, ratios
from benchmarks.rounds import Round

TITLES = {
    "charge": "Charge, 20,000 users",
    "coupon": "Hot coupon, each time another user",
    "orders": "Create + pay, 1,000 products by Zipf",
    "mixed": "Mixed: 60 % charges, 10 % of one hot coupon, 30 % reads",
}
PARTS = ("edge", "worker", "server", "database", "broker", "cache")
HEAD = (
    "| connections | side | done/s | p50 ms | p99 ms | refused | per commit | "
    + " | ".join(PARTS)
    + " | all |\n|--:|---|--:|--:|--:|--:|--:|"
    + "--:|" * (len(PARTS) + 1)
)


def closed_loop(rounds: Sequence[Round]) -> str:
    """A part for each work: its table, and ours to each peer's."""
    works = [work for work in TITLES if any(each.work == work for each in rounds)]
    return "\n\n".join(_of_work(rounds, work) for work in works)


def _of_work(rounds: Sequence[Round], work: str) -> str:
    mine = [each for each in rounds if each.work == work]
    parts = [f"#### {TITLES[work]}", table(mine), "\n".join(_ratio_lines(mine, work))]
    return "\n\n".join(part for part in parts if part)


def table(rounds: Sequence[Round]) -> str:
    """One row per load and side of one work; CPU in ms per command done."""
    keys = sorted({(each.connections, each.side) for each in rounds}, key=_ours_last)
    return "\n".join([HEAD, *(_row(_of(rounds, *key)) for key in keys)])


def _ours_last(key: tuple[int, str]) -> tuple[int, bool, str]:
    connections, side = key
    return (connections, side.startswith(OURS), side)


def _of(rounds: Sequence[Round], connections: int, side: str) -> list[Round]:
    return [each for each in rounds if (each.connections, each.side) == (connections, side)]


def _row(rounds: list[Round]) -> str:
    def middle(figure: Callable[[Round], float]) -> float:
        return median(figure(each) for each in rounds)

    costs = [_cost(rounds, part) for part in PARTS]
    # The embedded installation is one part, which has no column of its own.
    every = [_cost(rounds, part) for part in rounds[0].cpu_seconds]
    known = [cost for cost in every if cost is not None]
    cells = [
        str(rounds[0].connections),
        rounds[0].side,
        f"{middle(lambda each: each.per_second):,.0f}",
        f"{middle(lambda each: each.answers.p50_ms):.1f}",
        f"{middle(lambda each: each.answers.p99_ms):,.0f}",
        f"{middle(_refused_share):.1%}",
        f"{middle(_done_per_commit):.1f}" if rounds[0].transactions else "",
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


def _ratio_lines(rounds: Sequence[Round], work: str) -> list[str]:
    lines = []
    for connections in sorted({each.connections for each in rounds}):
        for peer in DESIGNS:
            paired = pairs(rounds, work, connections, peer)
            if found := ratios(paired):
                p99 = ratios(paired, lambda each: each.answers.p99_ms)
                lines.append(
                    f"- {connections} connections, to {peer.name}: **{median(found):.1f} x**"
                    f" ({min(found):.1f} to {max(found):.1f} in {len(found)} rounds),"
                    f" p99 {median(p99):.2f} x"
                )
    return lines


def circumstances_of(rounds: Sequence[Round]) -> list[str]:
    """What else used the machine meanwhile."""
    lines = []
    if theirs := [each for each in rounds if each.side in LOCK.sides]:
        share = median(each.standing_by_seconds / each.answers.seconds for each in theirs)
        lines.append(f"- standing by while a peer runs: {share:.1%} of one core")
    if rounds:
        foreign = median(each.foreign_share for each in rounds)
        lines.append(f"- other processes had {foreign:.1%} of the machine's CPU time meanwhile")
    return lines
