"""`python -m benchmarks.open_loop`: latency at fixed rates, ours beside the lock per request.

Starts everything, measures each side's capacity in a closed loop, offers shares of it at fixed
rates in turn, checks every run against the database, writes JSON and a picture, prints a table.
Exit 1: something counted wrongly, so the figures are worthless.
"""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.alone import leave_if_worthless, run_alone
from benchmarks.open_loop.measuring import SMOKE, WORKS, Options, measure
from benchmarks.open_loop.report import PICTURE, draw, to_markdown


def main() -> None:
    """Run, write, print."""
    asked = parse(sys.argv[1:])
    options = options_of(asked)
    found, folder = run_alone("open_loop", asked.folder, partial(measure, options))
    draw(found, folder / PICTURE)
    print(f"\n{to_markdown(found)}\n\nAll figures, and a picture: {folder}")
    leave_if_worthless(found.faults)


def options_of(asked: argparse.Namespace) -> Options:
    """Return the options that the command line names; what it does not name is the default."""
    named = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(asked).items()
        if value is not None and name in Options.__dataclass_fields__
    }
    defaults = asdict(SMOKE if asked.smoke else Options())
    return Options(**{**defaults, **named})


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="charges only, half a minute")
    parser.add_argument("--works", nargs="+", choices=WORKS)
    parser.add_argument("--shares", nargs="+", type=float, help="of the capacity (.2 .4 .6 .8)")
    parser.add_argument("--rounds", type=int, help="runs of each side at each rate (3)")
    parser.add_argument("--seconds", type=int, help="length of a run (10)")
    parser.add_argument("--capacity-seconds", type=int, help="length of the closed loop (6)")
    parser.add_argument("--styles", nargs="*", choices=["mapped", "bare"], help="of the peer")
    parser.add_argument("--evenly", action="store_const", const=True, help="not by chance")
    parser.add_argument("--folder", type=Path, help="for JSON and picture")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
