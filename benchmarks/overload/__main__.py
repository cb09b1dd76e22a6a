"""`python -m benchmarks.overload`: three times the capacity for two minutes, and what comes of it.

Starts real services, an edge and a worker, measures the capacity in a closed loop, and lets three
times as many strangers come, who come back when told to. Writes JSON, prints a table. Exit 1: a
goal was missed, or something counted wrongly, so that the figures are worthless.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.alone import leave_if_worthless, run_alone
from benchmarks.overload.measuring import SMOKE, Options, measure
from benchmarks.overload.report import to_markdown


def main() -> None:
    """Run, write, print."""
    asked = parse(sys.argv[1:])
    found, folder = run_alone("overload", asked.folder, partial(measure, options_of(asked)))
    print(f"\n{to_markdown(found)}\n\nAll figures: {folder}")
    leave_if_worthless(found.faults)
    sys.exit(1 if found.shortfalls() else 0)


def options_of(asked: argparse.Namespace) -> Options:
    """Return the options that the command line names; what it does not name is the default."""
    named = {name: value for name, value in vars(asked).items() if value is not None}
    known = {name: named[name] for name in Options.__dataclass_fields__ if name in named}
    return replace(SMOKE if asked.smoke else Options(), **known)


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="ten seconds of it")
    parser.add_argument("--times", type=float, help="of the capacity (3)")
    parser.add_argument("--seconds", type=float, help="for so long strangers come (120)")
    parser.add_argument("--capacity-seconds", type=int, help="length of the closed loop (15)")
    parser.add_argument("--patience-seconds", type=float, help="for the last to come back (480)")
    parser.add_argument("--folder", type=Path, help="for the JSON")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
