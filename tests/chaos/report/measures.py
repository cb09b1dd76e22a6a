"""What a run's report tells in numbers: faults and recoveries, latencies, throughput over time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import median
from typing import Any

from tests.chaos.checker import Verdict
from tests.chaos.checker.evidence import Evidence, Fault
from tests.chaos.checker.worth import is_within, windows_of

Json = dict[str, Any]

LATENCY_MS = 5_000
"""Below five seconds there are too few answers for a 99th percentile."""
SECONDS_IN_DETAIL = 900
"""A longer run is drawn in steps of five seconds: a picture has no more points than that."""
SHOWN_MAX = 20

_ANSWERED = """SELECT sent_at_ms, done_at_ms FROM attempts
    WHERE channel = 'http' AND ack = 'acknowledged' AND done_at_ms IS NOT NULL"""


def verdict_of(verdict: Verdict) -> Json:
    """Tell what the checker found, the first texts of each rule."""
    by_rule: defaultdict[str, list[str]] = defaultdict(list)
    for rule, text in verdict.violations:
        by_rule[rule].append(text)
    return {
        "violations": len(verdict.violations),
        "countsAsRun": verdict.counts_as_run,
        "shortcomings": verdict.shortcomings,
        "rules": [
            {"rule": rule, "violations": len(texts), "first": texts[:SHOWN_MAX]}
            for rule, texts in by_rule.items()
        ],
    }


def measures_of(evidence: Evidence) -> Json:
    """Measure a run. Times are seconds since it began, latencies milliseconds."""
    run = evidence.run
    seconds = (run.ended_at_ms - run.started_at_ms) / 1000
    return {
        "run": {
            "seed": run.seed,
            "command": run.command,
            "startedAtMs": run.started_at_ms,
            "seconds": round(seconds, 1),
            "offeredPerSecond": run.offered_per_second,
        },
        "faults": [_fault(each, run.started_at_ms) for each in run.faults],
        "recoveries": list(recoveries_of(run.faults)),
        "latencies": latencies_of(evidence),
        "throughput": throughput_of(evidence, 1 if seconds <= SECONDS_IN_DETAIL else 5),
        "latencyOverTime": latency_over_time(evidence),
        "inFlight": in_flight(evidence),
    }


def _fault(fault: Fault, started_at_ms: int) -> Json:
    return {
        "kind": fault.kind,
        "target": fault.target,
        "beginSeconds": (fault.begin_ms - started_at_ms) / 1000,
        "endSeconds": (fault.end_ms - started_at_ms) / 1000,
        "windowEndSeconds": (fault.window_end_ms - started_at_ms) / 1000,
        "recoverySeconds": recovery_seconds(fault),
    }


def recovery_seconds(fault: Fault) -> float | None:
    """Return how long after a fault's end the system served again; None where nobody saw it."""
    if fault.recovered_ms is None:
        return None
    return max(0, fault.recovered_ms - fault.end_ms) / 1000


def recoveries_of(faults: Sequence[Fault]) -> Iterator[Json]:
    """Sum up the recoveries of each kind of fault."""
    for kind in sorted({fault.kind for fault in faults}):
        of_kind = [fault for fault in faults if fault.kind == kind]
        times = [t for fault in of_kind if (t := recovery_seconds(fault)) is not None]
        yield {
            "kind": kind,
            "faults": len(of_kind),
            "recovered": len(times),
            "medianSeconds": round(median(times), 2) if times else None,
            "maxSeconds": round(max(times), 2) if times else None,
        }


def percentiles(values: Sequence[int]) -> Json:
    """Return p50, p90, p99 and the highest of values, by nearest rank; None for none."""
    ranked = sorted(values)

    def at(share: int) -> int | None:
        return ranked[-(-len(ranked) * share // 100) - 1] if ranked else None

    return {"answers": len(ranked), "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)}


def latencies_of(evidence: Evidence) -> Json:
    """Tell how long HTTP took to answer, for what was sent outside fault windows and inside."""
    windows = windows_of(evidence.run.faults)
    inside: list[int] = []
    outside: list[int] = []
    for sent_at_ms, done_at_ms in evidence.rows(_ANSWERED):
        chosen = inside if is_within(sent_at_ms, windows) else outside
        chosen.append(done_at_ms - sent_at_ms)
    return {"outsideFaults": percentiles(outside), "insideFaults": percentiles(inside)}


def throughput_of(evidence: Evidence, step_seconds: int) -> Json:
    """Tell how many attempts a second were offered, and how many of them acknowledged."""
    step_ms = step_seconds * 1000
    counted = evidence.rows(
        """SELECT (sent_at_ms - ?) / ?, count(*), sum(ack = 'acknowledged') FROM attempts
        GROUP BY 1 ORDER BY 1""",
        evidence.run.started_at_ms,
        step_ms,
    )
    steps = {step: (offered, done) for step, offered, done in counted if step >= 0}
    # A step in which nothing was sent is a zero, not a line drawn over it. The last one is not
    # whole, and would look like a fall.
    whole = (evidence.run.ended_at_ms - evidence.run.started_at_ms) // step_ms
    listed = [steps.get(step, (0, 0)) for step in range(whole)]
    return {
        "stepSeconds": step_seconds,
        "offeredPerSecond": [offered / step_seconds for offered, _ in listed],
        "acknowledgedPerSecond": [done / step_seconds for _, done in listed],
    }


def latency_over_time(evidence: Evidence) -> Json:
    """Tell the percentiles of HTTP's answers for each five seconds of sending."""
    steps: defaultdict[int, list[int]] = defaultdict(list)
    for sent_at_ms, done_at_ms in evidence.rows(_ANSWERED):
        step = (sent_at_ms - evidence.run.started_at_ms) // LATENCY_MS
        steps[step].append(done_at_ms - sent_at_ms)
    listed = [percentiles(steps[step]) for step in range(max(steps, default=-1) + 1)]
    named = {name: [each[name] for each in listed] for name in ("p50", "p90", "p99", "max")}
    return {"stepSeconds": LATENCY_MS // 1000, **named}


def in_flight(evidence: Evidence) -> Json:
    """Tell how many requests over HTTP waited for their answer at the end of each second."""
    change: defaultdict[int, int] = defaultdict(int)
    queries = evidence.rows(
        """SELECT sent_at_ms, done_at_ms FROM attempts
        WHERE channel = 'http' AND done_at_ms IS NOT NULL"""
    )
    for sent_at_ms, done_at_ms in queries:
        change[max(0, sent_at_ms - evidence.run.started_at_ms) // 1000] += 1
        change[max(0, done_at_ms - evidence.run.started_at_ms) // 1000] -= 1
    steps = range(max(change, default=-1) + 1)
    return {"stepSeconds": 1, "requests": list(accumulate(change[step] for step in steps))}
