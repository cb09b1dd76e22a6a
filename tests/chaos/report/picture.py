"""The picture of a run: throughput, waiting requests and latency over time, faults marked."""

from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.chaos.report.measures import Json

WIDTH, HEIGHT = 13, 9
DOTS_MAX = 300
LEAST_SHARE = 400
"""A kill takes no time, and must still be seen: it is drawn as such a part of the run."""
COLOURS = (
    "#d62728",
    "#9467bd",
    "#ff7f0e",
    "#1f77b4",
    "#2ca02c",
    "#8c564b",
    "#e377c2",
    "#17becf",
    "#bcbd22",
    "#7f7f7f",
    "#393b79",
    "#637939",
    "#843c39",
    "#7b4173",
)


def picture_of(told: Json) -> str:
    """Draw a run as one SVG element."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fairline", "font.size": 9}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        throughput, waiting, latency, faults = figure.subplots(
            4, sharex=True, height_ratios=[3, 1.5, 3, 2]
        )
        _draw_throughput(throughput, told["throughput"])
        _draw_waiting(waiting, told["inFlight"])
        _draw_latency(latency, told["latencyOverTime"])
        _draw_faults(faults, told["faults"], told["run"]["seconds"] / LEAST_SHARE)
        kinds = kinds_of(told["faults"])
        for axes in (throughput, waiting, latency):
            _mark(axes, told["faults"], kinds)
            axes.grid(visible=True, alpha=0.3)
        ends = [fault["windowEndSeconds"] for fault in told["faults"]]
        faults.set_xlim(0, max(told["run"]["seconds"], 1, *ends))
        faults.set_xlabel("seconds since the run began")
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    # The XML declaration does not belong into a page.
    return "<svg" + drawn.getvalue().partition("<svg")[2]


def kinds_of(faults: list[Json]) -> dict[str, str]:
    """Give each kind of fault its colour."""
    kinds = sorted({fault["kind"] for fault in faults})
    return {kind: COLOURS[number % len(COLOURS)] for number, kind in enumerate(kinds)}


def _draw_throughput(axes: Axes, told: Json) -> None:
    step = told["stepSeconds"]
    at = [(number + 0.5) * step for number in range(len(told["offeredPerSecond"]))]
    axes.plot(at, told["offeredPerSecond"], color="#999999", linewidth=0.8, label="offered")
    done = told["acknowledgedPerSecond"]
    axes.plot(at, done, color="#1a5fb4", linewidth=1.2, label="acknowledged")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("attempts/s")
    axes.legend(loc="lower left", ncols=2, fontsize=8)


def _draw_waiting(axes: Axes, told: Json) -> None:
    axes.plot(
        range(1, len(told["requests"]) + 1), told["requests"], color="#555555", linewidth=0.9
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("requests waiting")


def _draw_latency(axes: Axes, told: Json) -> None:
    step = told["stepSeconds"]
    # A value between two steps without answers is a dot or nothing; dots of an hour are a wall.
    marker = "." if len(told["max"]) < DOTS_MAX else ""
    shades = {"p50": "#2ca25f", "p90": "#e6a700", "p99": "#c0392b"}
    for name, colour in shades.items():
        known = [(n, value) for n, value in enumerate(told[name]) if value is not None]
        at = [(number + 0.5) * step for number, _ in known]
        # An answer within the same millisecond has no place on a logarithmic axis.
        shown = [max(1, value) for _, value in known]
        axes.plot(at, shown, color=colour, label=name, linewidth=1, marker=marker)
    axes.set_yscale("log")
    axes.set_ylim(1, 2 * max((value or 0 for value in told["max"]), default=50))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(f"HTTP latency, ms (per {step} s)")
    axes.legend(loc="upper left", ncols=3, fontsize=8)


def _draw_faults(axes: Axes, faults: list[Json], least_seconds: float) -> None:
    """Draw a lane for each kind: dark while the fault lasts, light until service is back."""
    kinds = kinds_of(faults)
    for lane, (kind, colour) in enumerate(kinds.items()):
        for fault in (each for each in faults if each["kind"] == kind):
            begin, end, back = (fault[f"{n}Seconds"] for n in ("begin", "end", "windowEnd"))
            seen = fault["recoverySeconds"] is not None
            axes.barh(
                lane,
                back - begin,
                left=begin,
                color=colour,
                alpha=0.35,
                hatch=None if seen else "///",
            )
            axes.barh(lane, max(end - begin, least_seconds), left=begin, color=colour)
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set_title("faults (light: until service was back; hatched: not seen)", fontsize=9)


def _mark(axes: Axes, faults: list[Json], kinds: dict[str, str]) -> None:
    for fault in faults:
        colour = kinds[fault["kind"]]
        axes.axvspan(
            fault["beginSeconds"], fault["windowEndSeconds"], color=colour, alpha=0.12, linewidth=0
        )
