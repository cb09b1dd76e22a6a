"""The first figure: Fairline and the lock per request in turn, on the same real services.

`python -m benchmarks.first` starts everything, warms up, measures, checks every answer against
the databases, prints a table, writes JSON and leaves nothing behind. Exit 1: something counted
wrongly, so the figures are worthless.
"""

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from app.services.errors import StartError
from benchmarks import report
from benchmarks.fairline import start_fairline
from benchmarks.load import Load, generator
from benchmarks.machine import ROOT, Circumstances, circumstances
from benchmarks.peer import start_peers
from benchmarks.rounds import Round, run_round
from benchmarks.services import Services, real_services
from benchmarks.sides import Side, temporary_database

JSON = ROOT / ".fairline" / "benchmarks" / "first.json"


class Report(msgspec.Struct):
    """All that a run has found."""

    circumstances: Circumstances
    rounds: list[Round]
    ratios: dict[str, list[float]]


async def run(arguments: argparse.Namespace, folder: Path) -> Report:
    """Start the services and the sides, measure, stop them."""
    around = circumstances(generator())
    with real_services(folder) as services:
        around.services = services.products
        async with all_sides(services, folder, arguments) as sides:
            rounds = await measure(sides, arguments)
    return Report(
        around, rounds, {" to ".join(pair): found for pair, found in report.ratios(rounds).items()}
    )


@asynccontextmanager
async def all_sides(
    services: Services, folder: Path, arguments: argparse.Namespace
) -> AsyncIterator[list[Side]]:
    """The sides, ready; each with a database of its own on the same server."""
    sides: list[Side] = []
    async with AsyncExitStack() as started:
        for name in arguments.sides:
            database = temporary_database(services.urls["database"], f"bench_{name}")
            url = await started.enter_async_context(database)
            if name == "fairline":
                start = start_fairline(services, url, folder)
                sides.append(await started.enter_async_context(start))
            else:
                start_all = start_peers(services, url, folder, arguments.style)
                sides.extend(await started.enter_async_context(start_all))
        yield sides


async def measure(sides: list[Side], arguments: argparse.Namespace) -> list[Round]:
    """Warm every side up in round 0, then let them run in turn: A B A B."""
    rounds = []
    for work, number in itertools.product(arguments.works, range(arguments.rounds + 1)):
        for side in turn([side for side in sides if work in side.works], number):
            seconds = arguments.seconds if number else arguments.warm_seconds
            code = f"HOT-{uuid.uuid4().hex[:8]}" if work == "coupon" else "-"
            load = Load(work, side.url, arguments.connections, seconds, number, code)
            if work == "coupon":
                await side.open_coupon(code)
            others = [other for other in sides if other is not side]
            rounds.append(await run_round(side, others, load))
            tell(rounds[-1])
    return [each for each in rounds if each.number]


def turn(sides: list[Side], number: int) -> list[Side]:
    """Another one begins in each round, so that none is always the one that comes after ours."""
    first = number % len(sides)
    return sides[first:] + sides[:first]


def tell(done: Round) -> None:
    """One line while it runs: it takes minutes."""
    what = f"{done.work:7}{done.side:21}" + (f"round {done.number}" if done.number else "warm-up")
    statuses = ", ".join(f"{count} x {status}" for status, count in done.answers.statuses.items())
    line = f"{what}: {done.per_second:8,.0f}/s, p99 {done.answers.p99_ms:6,.0f} ms ({statuses})"
    print(line, *done.faults, sep="; ", flush=True)


@contextmanager
def work_folder(keep: bool) -> Iterator[Path]:
    """Where services and logs live; gone afterwards, unless somebody wants to read the logs."""
    folder = Path(tempfile.mkdtemp(prefix="fairline-bench-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"the logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run, write, print."""
    arguments = parse(sys.argv[1:])
    with work_folder(arguments.keep) as folder:
        try:
            found = asyncio.run(run(arguments, folder))
        except (StartError, TimeoutError) as error:
            sys.exit(f"not measured: {error}")
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    text = report.page(found.rounds, found.circumstances)
    print(f"\n{text}\n\nAll figures: {JSON.relative_to(ROOT)}")
    if worthless := report.faults(found.rounds):
        sys.exit("\n".join(["these figures are worthless:", *worthless]))
    if arguments.publish:
        report.publish(text, arguments.style)


def parse(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--seconds", type=int, default=8, help="length of a run (8)")
    parser.add_argument("--warm-seconds", type=int, default=8, help="length of a warm-up (8)")
    parser.add_argument("--connections", type=int, default=64, help="requests under way (64)")
    for what, choices in (("works", ["charge", "coupon"]), ("sides", ["fairline", "lock"])):
        parser.add_argument(f"--{what}", nargs="+", choices=choices, default=choices)
    parser.add_argument(
        "--style", choices=["core", "orm"], default="core", help="of the peer (core)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the services' folder and logs")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
