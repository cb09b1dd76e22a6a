"""`fairline ranking check` and `rebuild`: for operators who want to be sure."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from app.cli_settings import connected_settings

# What shells report of a process that Ctrl-C ended.
INTERRUPTED_STATUS = 130

T = TypeVar("T")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(*, as_json: bool) -> None:
    """Compare the live ranking with the database, under way as it is.

    Every ranking worker compares each product and hour of its own partitions with what the
    orders say. Exit 0: no difference. 1: differences, the first of them shown. 2: it could not
    be done.
    """
    settings = connected_settings("ranking-check")
    from app import ranking  # noqa: PLC0415

    found = _run(ranking.check(settings, _tell))
    click.echo(ranking.as_json(found) if as_json else ranking.described(found))
    if found.differences:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--no-check", is_flag=True, help="Leave without comparing afterwards.")
@click.option(
    "--wait-seconds",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="How long to wait for the ranking workers.",
)
@click.pass_context
def rebuild(context: click.Context, *, no_check: bool, wait_seconds: float) -> None:
    """Set the live ranking from the database anew, then check it.

    The ranking stays readable meanwhile, and no sale is lost or counted twice.
    """
    settings = connected_settings("ranking-rebuild")
    from app import ranking  # noqa: PLC0415

    _run(ranking.rebuild(settings, _tell, wait_seconds))
    if not no_check:
        context.invoke(check)


def _tell(line: str) -> None:
    """Show progress apart from the result, which may go to a program."""
    click.echo(line, err=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        # The status of differences found would be a lie.
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED_STATUS)
