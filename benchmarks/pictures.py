"""The report's pictures: SVG files that can be read on a light and on a dark page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.ticker import LogFormatter

from benchmarks.ratios import EMBEDDED
from benchmarks.rounds import Round
from benchmarks.tables import TITLES

# Nothing is drawn behind; this grey and these colours stand out from white and from black.
INK = "#7d8590"
SIDE_TO_COLOUR = {
    "Fairline": "#2f81f7",
    "lock, wait (mapped)": "#e5534b",
    "lock, refuse (mapped)": "#a371f7",
    "row locks (mapped)": "#d29922",
    "lock, wait (bare)": "#f0938d",
    "row locks (bare)": "#e3c373",
}
STYLE: Any = {
    # Text stays text, so that the file is small and can be searched.
    "svg.fonttype": "none",
    "svg.hashsalt": "fairline",
    "font.size": 8,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "axes.titlecolor"), INK),
}
FIGURES: dict[str, tuple[str, Callable[[Round], float]]] = {
    "throughput": ("done per second", lambda each: each.per_second),
    "p99": ("p99, ms", lambda each: each.answers.p99_ms),
}


def draw(rounds: Sequence[Round], folder: Path) -> list[Path]:
    """Write the pictures of the closed loop; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [each for each in rounds if each.side != EMBEDDED]
    with mpl.rc_context(STYLE):
        return [_draw(shown, name, folder) for name in FIGURES] if shown else []


def _draw(rounds: Sequence[Round], name: str, folder: Path) -> Path:
    works = [work for work in TITLES if any(each.work == work for each in rounds)]
    figure, axes = plt.subplots(1, len(works), figsize=(2.6 * len(works), 2.6), squeeze=False)
    title, value = FIGURES[name]
    for work, axis in zip(works, axes[0], strict=True):
        _draw_work(axis, [each for each in rounds if each.work == work], value)
        axis.set_title(TITLES[work].partition(",")[0].partition(":")[0])
    axes[0][0].set_ylabel(title)
    handles = {side: line for axis in axes[0] for line, side in zip(*_legend(axis), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=3, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    file = folder / f"closed_loop_{name}.svg"
    figure.savefig(file, transparent=True, metadata={"Date": None})
    plt.close(figure)
    return file


def _legend(axis: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axis.get_legend_handles_labels()
    return list(handles), list(labels)


def _draw_work(axis: Any, rounds: Sequence[Round], value: Callable[[Round], float]) -> None:
    """Lines over the connections, or bars where there is only one number of them."""
    loads = sorted({each.connections for each in rounds})
    sides = [side for side in SIDE_TO_COLOUR if any(each.side == side for each in rounds)]
    for place, side in enumerate(sides):
        points = _medians([each for each in rounds if each.side == side], value)
        how = {"color": SIDE_TO_COLOUR[side], "label": side}
        if len(loads) > 1:
            axis.plot(points.keys(), points.values(), "o-", ms=3, **how)
        else:
            bar = axis.bar(place, points[loads[0]], **how)
            axis.bar_label(bar, fmt="{:,.0f}", fontsize=7)
    if len(loads) > 1:
        _scale_by_factors(axis, loads)
    else:
        axis.set_xticks([])
        axis.set_xlabel(f"{loads[0]} connections")
    axis.spines[["top", "right"]].set_visible(False)


def _scale_by_factors(axis: Any, loads: list[int]) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(LogFormatter())
    axis.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.5)))
    axis.set_xscale("log", base=4)
    axis.set_xticks(loads, [str(load) for load in loads])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("connections")


def _medians(rounds: Sequence[Round], value: Callable[[Round], float]) -> dict[int, float]:
    loads = sorted({each.connections for each in rounds})
    return {
        load: median(value(each) for each in rounds if each.connections == load) for load in loads
    }
