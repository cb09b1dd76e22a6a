"""The simulation as pictures: SVG, the same bytes for the same figures."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.scaling.scenes import Point, Scenes, Top

mpl.rcParams["svg.hashsalt"] = "fairline"
mpl.rcParams["svg.fonttype"] = "none"


def draw(scenes: Scenes, folder: Path) -> list[Path]:
    """Draw every picture into a folder; tell their files."""
    by_workers = [(f"{n} workers", listed) for n, listed in _by(scenes.orders, "workers")]
    by_share = [(f"{share:.0%} for one coupon", listed) for share, listed in _by_share(scenes)]
    return [
        _save(_walls(scenes.tops), folder / "scaling-walls.svg"),
        _save(_rates(by_workers), folder / "scaling-orders.svg"),
        _save(_rates(by_share), folder / "scaling-hot-coupon.svg"),
    ]


def _by(points: Sequence[Point], name: str) -> list[tuple[Any, list[Point]]]:
    keys = dict.fromkeys(getattr(point, name) for point in points)
    return [(key, [point for point in points if getattr(point, name) == key]) for key in keys]


def _by_share(scenes: Scenes) -> list[tuple[Any, list[Point]]]:
    return _by(scenes.rush, "hot_share")


def _walls(tops: Sequence[Top]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="workers", ylabel="commands/s")
    workers = [top.workers for top in tops]
    axes.plot(workers, [top.orders for top in tops], marker="o", label="orders")
    twice = [top.database_twice for top in tops]
    axes.plot(workers, twice, marker="o", label="orders, twice the database")
    axes.plot(workers, [top.one_coupon for top in tops], marker="o", label="one coupon")
    axes.set_xticks(workers, [str(number) for number in workers])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return figure


def _rates(lines: Iterable[tuple[str, Sequence[Point]]]) -> Figure:
    figure = Figure(figsize=(8, 4), layout="constrained")
    done, waits = figure.subplots(1, 2)
    for number, (label, points) in enumerate(lines):
        offered = [point.offered for point in points]
        color = f"C{number}"
        done.plot(offered, [p.per_second for p in points], marker=".", color=color, label=label)
        waits.plot(offered, [p.p50_ms for p in points], color=color, label=f"{label}, p50")
        waits.plot(offered, [p.p99_ms for p in points], color=color, ls=":", label="p99")
    done.set(xlabel="offered/s", ylabel="applied/s", ylim=(0, None))
    waits.set(xlabel="offered/s", ylabel="latency, ms", yscale="log")
    for axes in (done, waits):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    return figure


def _save(figure: Figure, file: Path) -> Path:
    # Without a date, the same figures give the same file.
    figure.savefig(file, metadata={"Date": None})
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line.rstrip() for line in lines) + "\n")
    return file
