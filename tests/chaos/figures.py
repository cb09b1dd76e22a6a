"""How soon a run got over its faults, and how its processes left, held against the bounds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

TERM_SECONDS_MAX = 20.0
BROKER_SECONDS_MAX = 15.0
KILL_SECONDS_MAX = 5.0
"""Beyond the session timeout, after which the broker gives the partitions to another worker."""


@dataclass(frozen=True)
class Figures:
    """Lines to print, and those of them that are past a bound."""

    told: list[str]
    missed: list[str]


def figures_of(folder: Path, *, slack: float = 1.0) -> Figures:
    """Read a run's figures; `slack` times each bound is allowed on a machine that is busy."""
    run = json.loads((folder / "run.json").read_text())
    kill_seconds_max = run["sessionTimeoutSeconds"] + KILL_SECONDS_MAX
    bounds = {"worker_kill": kill_seconds_max, "broker_kill": BROKER_SECONDS_MAX}
    told, missed = [], []
    for kind, seconds in sorted(_recoveries(run["faults"]).items()):
        bound = bounds.get(kind)
        line = f"{kind}: {len(seconds)}, back after {_span(seconds)}"
        told.append(line + (f" (at most {bound:g} s)" if bound else ""))
        if bound and max(seconds) > bound * slack:
            missed.append(told[-1])
    left = [each for each in run["exits"] if each["asked"] == "SIGTERM"]
    if left:
        told.append(f"SIGTERM: {len(left)}, gone after {_span([e['seconds'] for e in left])}")
    missed += [
        f"{each['member']} left with {each['code']} {each['seconds']} s after SIGTERM"
        for each in left
        if each["code"] or each["seconds"] > TERM_SECONDS_MAX * slack
    ]
    unasked = [
        f"{each['member']} with {each['code']}" for each in run["exits"] if not each["asked"]
    ]
    told.append(f"left unasked and came back: {', '.join(unasked) or 'none'}")
    told.append(f"the harness itself was late by {run['lagSeconds']:g} s at worst")
    failed = list(_failed_while_rolling(folder, run["faults"]))
    return Figures(told, missed + failed + [f"stuck: {line}" for line in run["stuck"]])


def _recoveries(faults: list[dict[str, Any]]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {}
    for fault in faults:
        over = fault["recoveredMs"]
        lasted = (over - fault["endMs"]) / 1000 if over is not None else float("inf")
        seconds.setdefault(fault["kind"], []).append(lasted)
    return seconds


def _span(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} s, at worst {max(seconds):.1f} s"


def _failed_while_rolling(folder: Path, faults: list[dict[str, Any]]) -> Iterator[str]:
    """Find requests that failed while all workers were restarted in turn.

    What is refused for a moment says so, with `Retry-After`: 503, or 429 while the line waits.
    """
    spans = [(f["beginMs"], f["endMs"]) for f in faults if f["kind"] == "worker_term"]
    with (folder / "history.jsonl").open() as lines:
        for line in lines if spans else ():
            attempt = json.loads(line)
            is_here = any(begin <= attempt["sentAtMs"] <= end for begin, end in spans)
            if is_here and attempt["channel"] == "http" and _has_failed(attempt):
                told = f"{attempt['status']} to attempt {attempt['number']}"
                yield f"{told} while the workers were restarted"


def _has_failed(attempt: dict[str, Any]) -> bool:
    if attempt["type"] == "Ask" or attempt["ack"] == "acknowledged":
        return False
    if attempt["status"] in (429, 503):
        return attempt.get("retryAfter") is None
    # A sold-out coupon is an answer, with or without the log.
    return bool(attempt["status"] != 409)
