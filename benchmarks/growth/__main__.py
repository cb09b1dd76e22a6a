"""`python -m benchmarks.growth`: what a command costs when the database is full, to an empty one.

Fills two databases, starts Fairline on each, sends both the same at the same rate in turn, checks
every run, and prints CPU time per command, pair by pair, and what the database touches more.
Exit 1: something did not add up, so the figures are worthless.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.alone import leave_if_worthless, run_alone
from benchmarks.growth.measuring import SMOKE, WRITES, Options, measure
from benchmarks.growth.report import to_markdown
from benchmarks.growth.size import FULL
from benchmarks.open_loop.works import READS


def main() -> None:
    """Run, write, print."""
    asked = parse(sys.argv[1:])
    options = options_of(asked)
    found, folder = run_alone("growth", asked.folder, partial(measure, options))
    print(f"\n{to_markdown(found)}\n\nAll figures: {folder}")
    leave_if_worthless(found.faults)


def options_of(asked: argparse.Namespace) -> Options:
    """Return the options that the command line names; what it does not name is the default."""
    options = SMOKE if asked.smoke else Options()
    if asked.share is not None:
        options = replace(options, full=FULL.scaled(asked.share))
    changed = {name: getattr(asked, name) for name in ("pairs", "seconds", "rate")}
    options = replace(options, **{name: n for name, n in changed.items() if n is not None})
    return replace(options, works=tuple(asked.works)) if asked.works else options


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="1 %% of the rows, two short pairs")
    parser.add_argument("--share", type=float, help="of ten million commands (1.0)")
    parser.add_argument("--works", nargs="+", choices=WRITES + READS)
    parser.add_argument("--pairs", type=int, help="runs of each work on each database (5)")
    parser.add_argument("--seconds", type=int, help="length of a run (10)")
    parser.add_argument("--rate", type=float, help="requests per second (400)")
    parser.add_argument("--folder", type=Path, help="for the JSON (a new temporary one)")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
