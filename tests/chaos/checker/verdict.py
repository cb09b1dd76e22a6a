"""All rules, asked of one folder: what is violated, what was counted, whether the run counts."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

from . import (
    clients,
    coupons,
    dead_letters,
    decisions,
    door,
    events,
    money,
    orders,
    ranking,
    records,
    stock,
    worth,
)
from .evidence import Evidence
from .files import EvidenceError

SUBJECTS = (
    records,
    clients,
    money,
    coupons,
    door,
    orders,
    stock,
    events,
    decisions,
    ranking,
    dead_letters,
)
RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = tuple(
    rule for subject in SUBJECTS for rule in subject.RULES
)
# A defect that touches every command must not fill memory; the first ones tell it.
VIOLATIONS_MAX = 10_000
SHOWN_MAX = 20

OK, VIOLATED, DOES_NOT_COUNT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a run: (rule, text) of each violation, counts, and its worth."""

    violations: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    shortcomings: list[str] = field(default_factory=list)

    @property
    def counts_as_run(self) -> bool:
        """Whether so much happened that the absence of violations says something."""
        return not self.shortcomings

    @property
    def exit_code(self) -> int:
        """0: no violation, and it counts. 1: violations. 2: no violation, but no worth either."""
        if self.violations:
            return VIOLATED
        return OK if self.counts_as_run else DOES_NOT_COUNT


def check(folder: Path) -> Verdict:
    """Check the evidence of a run. What cannot be read makes a verdict that does not count."""
    try:
        evidence = Evidence(folder)
    except EvidenceError as error:
        return Verdict(shortcomings=[f"the evidence cannot be read: {error}"])
    try:
        return judge(evidence)
    finally:
        evidence.close()


def judge(evidence: Evidence) -> Verdict:
    """Ask every rule of evidence that is read already."""
    violations = [
        (rule.__name__, text) for rule in RULES for text in islice(rule(evidence), VIOLATIONS_MAX)
    ]
    return Verdict(violations, counts_of(evidence), list(worth.shortcomings(evidence)))


def counts_of(evidence: Evidence) -> dict[str, int]:
    """Count what was seen, by the words that the report uses."""
    counts: Counter[str] = Counter()
    grouped = (
        "SELECT 'attempts ' || ack, count(*) FROM attempts GROUP BY ack",
        "SELECT 'rows ' || lower(disposition), count(*) FROM command_log GROUP BY disposition",
        "SELECT 'records ' || topic, count(*) FROM records GROUP BY topic",
    )
    for query in grouped:
        counts |= dict(evidence.rows(query))
    for table in ("attempts", "asks", "poisons", "snapshots", "results", "events", "dead_letters"):
        counts[table.replace("_", " ")] = evidence.value(f"SELECT count(*) FROM {table}")
    for fault in evidence.run.faults:
        counts[f"faults {fault.kind}"] += 1
    counts["succeeded"] = worth.succeeded(evidence)
    counts["offered outside faults"], counts["acknowledged outside faults"] = (
        worth.offered_outside(evidence)
    )
    return dict(counts)


def described(verdict: Verdict) -> Iterator[str]:
    """Show counts, violations by rule, and the verdict, line by line."""
    for name, count in sorted(verdict.counts.items()):
        yield f"{count:>12,}  {name}"
    for rule, listed in groupby(verdict.violations, key=itemgetter(0)):
        texts = [text for _, text in listed]
        yield f"{rule}: {len(texts)}"
        yield from (f"  {text}" for text in texts[:SHOWN_MAX])
        if len(texts) > SHOWN_MAX:
            yield f"  and {len(texts) - SHOWN_MAX} more"
    yield from (f"does not count: {reason}" for reason in verdict.shortcomings)
    yield f"{len(verdict.violations)} violations"
