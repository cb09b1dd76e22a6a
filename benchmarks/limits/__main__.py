"""`python -m benchmarks.limits`: what the parts can do by themselves, and what a command costs.

Starts real services, measures part after part, checks what is left in the database, writes JSON
and a picture, prints tables. Exit 1: something did not add up, so the figures are worthless.
"""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.alone import leave_if_worthless, run_alone
from benchmarks.limits.measuring import measure
from benchmarks.limits.options import ALL_PARTS, SMOKE, Options
from benchmarks.limits.report import draw, figures, to_markdown


def main() -> None:
    """Run, write, print."""
    asked = parse(sys.argv[1:])
    options = options_of(asked)
    found, folder = run_alone("limits", asked.folder, partial(measure, options))
    draw(found, folder / "limits.svg")
    print(f"\n{to_markdown(found)}\n")
    print(*(f"{name}: {value:.3f}" for name, value in figures(found).items()), sep="\n")
    print(f"All figures, and a picture: {folder}")
    leave_if_worthless(found.faults)


def options_of(asked: argparse.Namespace) -> Options:
    """Return what the command line names; what it does not name is as usual."""
    named = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(asked).items()
        if value and name in Options.__dataclass_fields__
    }
    return Options(**{**asdict(SMOKE if asked.smoke else Options()), **named})


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(ALL_PARTS)}")
    parser.add_argument("--smoke", action="store_true", help="small numbers: does all work?")
    parser.add_argument("--commands", type=int, help="that wait, for each drain (200,000)")
    parser.add_argument("--rounds", type=int, help="of those who drain in turn (1)")
    parser.add_argument("--seconds", type=int, help="of a load over HTTP (10)")
    parser.add_argument("--connections", type=int, help="of a load over HTTP (64)")
    parser.add_argument("--read-rounds", type=int, help="of the reads (5)")
    parser.add_argument("--batch-kinds", nargs="+", help="commands of the batch body")
    parser.add_argument("--batch-sizes", nargs="+", type=int, help="of the batch body, of pgbench")
    parser.add_argument("--folder", type=Path, help="for the results (a new temporary one)")
    told = parser.parse_args(words)
    if unknown := set(told.parts) - set(ALL_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return told


if __name__ == "__main__":
    main()
