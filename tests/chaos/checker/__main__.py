"""`python -m tests.chaos.checker FOLDER`: the verdict of a run, for people and for exit codes."""

import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from .verdict import Verdict, check

SHOWN_MAX = 20


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


def main(folder: str) -> int:
    """Check a folder; return the exit code."""
    verdict = check(Path(folder))
    for line in described(verdict):
        print(line)  # noqa: T201
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
