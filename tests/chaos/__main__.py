"""`python -m tests.chaos`: harm Fairline for a while, and have the evidence checked."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tests.chaos.cluster import Servers, Shape
from tests.chaos.figures import figures_of
from tests.chaos.run import Options, Run, alive, carry_out
from tests.chaos.schedule import KINDS, LONG, SHORT
from tests.installation import ROOT

console = Console()


def progress(run: Run) -> Text:
    """Show in one line how far the run is."""
    counts = run.history.counts
    elapsed = time.monotonic() - run.started_at if run.started_at else 0
    done = min(1.0, elapsed / run.options.seconds)
    faults = f"{len(run.nemesis.faults)}/{sum(run.options.faults.values())}"
    return Text(
        f"{done:4.0%}  {elapsed:5.0f} s  offered {run.offered}  "
        f"acknowledged {counts['acknowledged']}  refused {counts['refused']}  "
        f"unknown {counts['unknown']}  outcomes {run.watch.outcomes}  "
        f"faults {faults}  {run.nemesis.now}"
    )


async def show(run: Run) -> None:
    """Keep the progress line up to date; without a terminal a line each half minute."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(30)
            console.print(progress(run), soft_wrap=True)
    with Live(console=console, refresh_per_second=2) as live:
        while True:
            live.update(progress(run))
            await asyncio.sleep(0.5)


async def do(options: Options) -> None:
    """Carry a run out, with its progress shown."""
    console.print("starting Kafka, PostgreSQL, Valkey and the processes")
    servers = Servers(options.folder)
    try:
        await servers.start()
        await do_on(servers, options)
    finally:
        servers.stop()


async def do_on(servers: Servers, options: Options) -> None:
    """The same on servers that run."""
    async with alive(options, servers) as run:
        showing = asyncio.create_task(show(run))
        try:
            stuck = await carry_out(run)
        finally:
            showing.cancel()
            await asyncio.wait([showing])
        console.print(progress(run), soft_wrap=True)
        for line in stuck:
            console.print(f"stuck: {line}")


def judge(folder: Path) -> int:
    """Have the evidence checked, and print what came of it; 0 where all is as it should be."""
    figures = figures_of(folder)
    for line in figures.told:
        console.print(line, soft_wrap=True)
    for line in figures.missed:
        console.print(f"past its bound: {line}", soft_wrap=True)
    program = [sys.executable, "-m", "tests.chaos.report", str(folder)]
    report = subprocess.run(program, cwd=ROOT, check=False)
    return max(bool(figures.missed), report.returncode)


def faults_of(asked: tuple[str, ...], *, long: bool) -> dict[str, int]:
    """Read how many faults of each kind are wanted; without a word the usual ones."""
    if not asked:
        return LONG if long else dict.fromkeys(KINDS, 1) | SHORT
    counts = {
        kind: int(number or 1) for kind, _, number in (each.partition("=") for each in asked)
    }
    if unknown := set(counts) - set(KINDS):
        message = f"not a fault: {', '.join(sorted(unknown))}"
        raise click.BadParameter(message)
    return counts


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--seed", type=int, help="What plan and faults are drawn from; else chance says.")
@click.option("--minutes", type=float, help="How long at least: 5, or 60 with --long.")
@click.option("--rate", type=float, default=200.0, help="Attempts offered a second.")
@click.option("--long", is_flag=True, help="An hour, with fifty kills of a worker.")
@click.option("--fault", "faults", multiple=True, help="KIND=N, of: " + ", ".join(KINDS))
@click.option("--workers", type=int, default=3, help="Command workers.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the evidence goes.")
def main(rate: float, faults: tuple[str, ...], workers: int, **asked: Any) -> None:
    """Run Fairline under faults, and check from outside that nothing was lost or done twice.

    Exit 0: no violations, and every figure within its bound.
    """
    seed = secrets.randbelow(10**6) if asked["seed"] is None else asked["seed"]
    folder = Path(asked["folder"] or tempfile.mkdtemp(prefix="chaos-")).absolute()
    words = [*sys.argv[1:], *(() if "--seed" in sys.argv else ("--seed", str(seed)))]
    options = Options(
        seed=seed,
        seconds=(asked["minutes"] or (60.0 if asked["long"] else 5.0)) * 60,
        per_second=rate,
        faults=faults_of(faults, long=asked["long"]),
        folder=folder,
        shape=Shape(workers=workers),
        command="python -m tests.chaos " + " ".join(words),
    )
    console.print(f"seed {seed}, evidence in {folder}", soft_wrap=True)
    uvloop.run(do(options))
    sys.exit(judge(folder))


if __name__ == "__main__":
    main()
