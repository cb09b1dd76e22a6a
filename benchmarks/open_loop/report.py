"""What a run has found, as a table and as a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec
from matplotlib.figure import Figure

from benchmarks.open_loop.measuring import Found, Options, Point, measure
from benchmarks.report import PartFound

PICTURE = "open_loop.svg"
HEAD = (
    "| work | side | of capacity | due/s | done/s | p50 ms | p90 ms | p99 ms | p99.9 ms"
    " | unanswered | late p99 ms |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def figures(_found: Found) -> dict[str, list[float]]:
    """Return nothing: no goal is set for fixed rates."""
    return {}


def planned_seconds() -> float:
    """About how long `run` takes."""
    return Options().planned_seconds()


async def run(folder: Path) -> PartFound:
    """Measure in a folder, as a part of a whole run. Raises RuntimeError where it is worthless."""
    found = await measure(Options(), folder)
    if found.faults:
        raise RuntimeError("; ".join(found.faults))
    draw(found, folder / PICTURE)
    result = msgspec.Raw(msgspec.json.encode(found))
    return PartFound("open_loop", figures(found), to_markdown(found), result)


def to_markdown(found: Found) -> str:
    """The figures as Markdown: medians over the rounds, latencies from when requests were due."""
    rows = [_row(points) for points in grouped(found.points)]
    return "\n".join([*found.circumstances.lines(), "", HEAD, *rows])


def grouped(points: Sequence[Point]) -> list[list[Point]]:
    """The rounds of each work, side and share, in the order in which they began."""
    groups: dict[tuple[str, str, float], list[Point]] = {}
    for each in points:
        groups.setdefault((each.work, each.side, each.share), []).append(each)
    return list(groups.values())


def _row(points: Sequence[Point]) -> str:
    first = points[0]
    cells = [
        first.work,
        first.side,
        f"{first.share:.0%}",
        f"{first.rate:,.0f}",
        f"{_middle(points, lambda each: each.done_per_second):,.0f}",
        f"{_middle(points, lambda each: each.heard.p50_ms):.1f}",
        f"{_middle(points, lambda each: each.heard.p90_ms):.1f}",
        f"{_middle(points, lambda each: each.heard.p99_ms):.0f}",
        f"{_middle(points, lambda each: each.heard.p999_ms):.0f}",
        f"{sum(each.heard.unanswered for each in points)}",
        f"{_middle(points, lambda each: each.heard.late_p99_ms):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _middle(points: Sequence[Point], figure: Callable[[Point], float]) -> float:
    return median(figure(each) for each in points)


def draw(found: Found, file: Path) -> None:
    """Draw the middle and the 99th percentile over the rate, for each work, as SVG."""
    works = list(dict.fromkeys(each.work for each in found.points))
    picture = Figure(figsize=(4.2 * len(works), 3.6), layout="constrained")
    all_axes = picture.subplots(1, len(works), sharey=True, squeeze=False)[0]
    for axes, work in zip(all_axes, works, strict=True):
        groups = [group for group in grouped(found.points) if group[0].work == work]
        for color, side in enumerate(dict.fromkeys(group[0].side for group in groups)):
            own = sorted((g for g in groups if g[0].side == side), key=lambda g: g[0].rate)
            rates = [group[0].rate for group in own]
            p50 = [_middle(group, lambda each: each.heard.p50_ms) for group in own]
            p99 = [_middle(group, lambda each: each.heard.p99_ms) for group in own]
            axes.plot(rates, p99, "o-", color=f"C{color}", label=f"{side}, p99")
            axes.plot(rates, p50, "o:", color=f"C{color}", label=f"{side}, p50")
        axes.set(title=work, xlabel="requests due per second", yscale="log")
        axes.grid(visible=True, alpha=0.3)
    all_axes[0].set_ylabel("ms from when it was due")
    all_axes[-1].legend(fontsize="small")
    picture.savefig(file, format="svg")
