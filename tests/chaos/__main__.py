"""`python -m tests.chaos`: harm Fairline for a while, and have the evidence checked."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tests.chaos.cluster import Shape
from tests.chaos.run import Options, Run, alive, carry_out
from tests.chaos.schedule import KINDS
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
    async with alive(options) as run:
        showing = asyncio.create_task(show(run))
        try:
            stuck = await carry_out(run)
        finally:
            showing.cancel()
            await asyncio.wait([showing])
        console.print(progress(run), soft_wrap=True)
        for line in stuck:
            console.print(f"stuck: {line}")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--seed", type=int, help="What plan and faults are drawn from.  [default: by chance]"
)
@click.option("--minutes", type=float, default=5.0, help="How long commands are offered.")
@click.option("--rate", type=float, default=200.0, help="Attempts offered a second.")
@click.option(
    "--fault", "faults", multiple=True, help="KIND=N; KIND is one of: " + ", ".join(KINDS)
)
@click.option("--workers", type=int, default=3, help="Command workers.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the evidence goes.")
def main(seed: int | None, minutes: float, rate: float, **asked: object) -> None:
    """Run Fairline under faults, and check from outside that nothing was lost or done twice."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    folder = asked["folder"] or Path(tempfile.mkdtemp(prefix="chaos-"))
    assert isinstance(folder, Path)
    faults = {kind: int(n) for kind, _, n in (str(f).partition("=") for f in asked["faults"])}  # type: ignore[attr-defined]
    words = [*sys.argv[1:], *(() if "--seed" in sys.argv else ("--seed", str(seed)))]
    options = Options(
        seed=seed,
        seconds=minutes * 60,
        per_second=rate,
        faults=faults,
        folder=folder.absolute(),
        shape=Shape(workers=int(str(asked["workers"]))),
        command="python -m tests.chaos " + " ".join(words),
    )
    console.print(f"seed {seed}, evidence in {folder}")
    asyncio.run(do(options))
    for word in ("checker", "report"):
        command = [sys.executable, "-m", f"tests.chaos.{word}", str(folder)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
    sys.exit(code)


if __name__ == "__main__":
    main()
