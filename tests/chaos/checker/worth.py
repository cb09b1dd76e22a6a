"""Whether a run counts: a system that refuses everything keeps every rule."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from .evidence import Evidence, Fault

ACKNOWLEDGED_SHARE_MIN = 0.9
OUTSIDE_SHARE_MIN = 0.1
"""Below it a run hardly ever served undisturbed: what is asked of it then would say nothing. The
nemesis leaves twice as much."""
SUCCEEDED_MIN = 1_000

Span = tuple[int, int]


def windows_of(faults: Iterable[Fault]) -> list[Span]:
    """Return the times in which faults excuse what is missing; those that overlap are one."""
    merged: list[Span] = []
    for begin_ms, end_ms in sorted((f.begin_ms, f.window_end_ms) for f in faults):
        if merged and begin_ms <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ms, merged[-1][1]))
        else:
            merged.append((begin_ms, end_ms))
    return merged


def is_within(at_ms: int, windows: list[Span]) -> bool:
    """Tell whether a time is in one of these spans, which are in order and apart."""
    place = bisect_right(windows, (at_ms, float("inf"))) - 1
    return place >= 0 and at_ms <= windows[place][1]


def offered_outside(evidence: Evidence) -> tuple[int, int]:
    """Return how many attempts were made outside fault windows, and how many acknowledged.

    "Sold out" without the log is an answer too, though no command was taken for it.
    """
    windows = windows_of(evidence.run.faults)
    offered = acknowledged = 0
    attempts = evidence.rows(
        """SELECT sent_at_ms, ack = 'acknowledged' OR ifnull(code, '') = 'COUPON_SOLD_OUT'
        FROM attempts"""
    )
    for sent_at_ms, answered in attempts:
        if not is_within(sent_at_ms, windows):
            offered += 1
            acknowledged += answered
    return offered, acknowledged


def succeeded(evidence: Evidence) -> int:
    """Return how many commands that clients heard of as accepted were carried out."""
    return int(
        evidence.value(
            """SELECT count(*) FROM command_log l WHERE disposition = 'APPLIED' AND EXISTS
            (SELECT 1 FROM attempts a WHERE a.command_id = l.command_id
                AND a.principal = l.principal AND a.ack = 'acknowledged')"""
        )
    )


def shortcomings(evidence: Evidence) -> Iterator[str]:
    """Say why a run does not count; nothing where it does."""
    offered, acknowledged = offered_outside(evidence)
    attempts = evidence.value("SELECT count(*) FROM attempts")
    if offered < OUTSIDE_SHARE_MIN * attempts:
        yield f"{offered} of {attempts} attempts were made outside faults, fewer than 10 %"
    if acknowledged < ACKNOWLEDGED_SHARE_MIN * offered or not offered:
        yield f"outside faults {acknowledged} of {offered} attempts were acknowledged, below 90 %"
    carried_out = succeeded(evidence)
    if carried_out < SUCCEEDED_MIN:
        yield f"{carried_out} commands succeeded, fewer than {SUCCEEDED_MIN}"
    if not evidence.value("SELECT count(*) FROM snapshots"):
        yield "nobody looked at the balances during the run: no snapshots"
    if not evidence.value("SELECT count(*) FROM asks WHERE state IS NOT NULL"):
        yield "nobody asked for an outcome again"
