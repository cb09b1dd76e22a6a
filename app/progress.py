"""How far a long piece of work has come: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

# A log of an audit should not be longer than its verdict.
LINE_SECONDS = 5.0

Watch = Callable[[str, int, int], None]
"""Called with what is read, how many rows so far, and about how many there are, 0 if unknown."""


@contextmanager
def watching() -> Iterator[Watch]:
    """Show progress on standard error while the block runs; results go to standard output."""
    if sys.stderr.isatty():
        with _bars() as watch:
            yield watch
    else:
        yield Lines(time.monotonic)


class Lines:
    """A line for each thing that is read, and one every few seconds while that takes long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._what = ""
        self._told = clock()

    def __call__(self, what: str, rows: int, about: int) -> None:
        """Tell the progress, unless it was told just now."""
        now = self._clock()
        if what == self._what and now - self._told < LINE_SECONDS:
            return
        self._what, self._told = what, now
        of = f" of about {about:,}" if about >= rows else ""
        click.echo(f"{what}: {rows:,}{of} rows", err=True)


@contextmanager
def _bars() -> Iterator[Watch]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def watch(what: str, rows: int, about: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            # What the database estimates may be less than it has.
            total = max(rows, about) if about else None
            progress.update(tasks[what], completed=rows, total=total)

        yield watch
