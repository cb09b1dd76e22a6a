"""Measure Fairline beside its peers, on one machine, in one run, on the same real services.

It starts Kafka, PostgreSQL and Valkey, Fairline, and a server that takes a lock and a transaction
for each request; sends the same requests to each in turn; checks every answer against the
databases; and prints how Fairline does and which goals are reached. Nothing is left behind but
the results. Exit 1: something did not add up, so the figures are worthless.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.services.errors import StartError
from benchmarks import report
from benchmarks.alone import leave_if_worthless
from benchmarks.load import sendable
from benchmarks.parts import PARTS
from benchmarks.pictures import draw
from benchmarks.plans import ALL_WORKS, FULL, GOALS, SMOKE, Plan
from benchmarks.report import Report
from benchmarks.services import work_folder
from benchmarks.whole import measure

INTERRUPTED_STATUS = 130


def main() -> None:
    """Measure, write, print."""
    arguments = parse(sys.argv[1:])
    # Whoever ends us politely gets what Ctrl-C gets: all children stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = arguments.folder or Path(tempfile.mkdtemp(prefix="fairline-bench-"))
    results.mkdir(parents=True, exist_ok=True)
    with work_folder(arguments.keep) as folder:
        found = run(arguments, folder)
        drawn = sorted(folder.glob("*/*.svg"))
        pictures = [Path(shutil.copy(picture, results)) for picture in drawn]
    pictures += draw(found.rounds, results)
    report.write_json(found, results)
    print(f"\n{report.page(found)}\n\nAll figures, and pictures: {results}")
    leave_if_worthless(found.faults())
    if arguments.publish:
        publish(found, pictures)


def run(arguments: argparse.Namespace, folder: Path) -> Report:
    """Measure; leave where that cannot be, or where somebody pressed Ctrl-C."""
    try:
        return asyncio.run(measure(plan_of(arguments), folder))
    except (StartError, TimeoutError) as error:
        sys.exit(f"not measured: {error}")
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)


def publish(found: Report, pictures: Sequence[Path]) -> None:
    """Write the page, with pictures and JSON beside it."""
    report.write_json(found, report.FOLDER)
    shown = [Path(shutil.copy(picture, report.FOLDER)) for picture in pictures]
    names = [str(file.relative_to(report.PAGE.parent)) for file in shown]
    report.publish(report.page(found, names))


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that was asked for, with what the command line changes of it."""
    plan = SMOKE if arguments.smoke else FULL if arguments.full else GOALS
    names = ("works", "connections", "rounds", "seconds", "parts")
    asked = {name: getattr(arguments, name) for name in names}
    changed = replace(plan, **{name: told for name, told in asked.items() if told is not None})
    return replace(changed, works=tuple(sendable(changed.works)))


def parse(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--smoke", action="store_true", help="the ratios only, in two minutes (make bench-smoke)"
    )
    length.add_argument(
        "--full",
        action="store_true",
        help="everything, with 1 to 256 connections, limits, open loop and growth, in two hours"
        " (make bench-full); without either: the goal table, in a quarter of an hour (make bench)",
    )
    parser.add_argument(
        "--folder", type=Path, help="where report.json and pictures go (a new temporary one)"
    )
    parser.add_argument(
        "--publish", action="store_true", help="write the report into docs/performance.md"
    )
    parser.add_argument("--keep", action="store_true", help="keep the services' data and logs")
    change = parser.add_argument_group("to measure something else than the plan says")
    change.add_argument("--works", nargs="*", choices=ALL_WORKS)
    change.add_argument("--connections", nargs="+", type=int, metavar="N")
    change.add_argument("--rounds", type=int, metavar="N", help="runs of each side")
    change.add_argument("--seconds", type=int, metavar="N", help="length of one run")
    change.add_argument(
        "--parts", nargs="*", choices=PARTS, help="what comes after the closed loop"
    )
    arguments = parser.parse_args(words)
    if arguments.publish and arguments.smoke:
        parser.error("--smoke is too short to be published")
    return arguments


if __name__ == "__main__":
    main()
