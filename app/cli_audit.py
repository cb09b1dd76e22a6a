"""`fairline audit`: what is stored, held against itself and the commands that made it."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from app.cli_settings import load_settings
from app.progress import watching

# What shells report of a process that Ctrl-C ended.
INTERRUPTED_STATUS = 130

T = TypeVar("T")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def audit(*, as_json: bool) -> None:
    """Hold all that is stored against itself, while commands go on.

    Balances against their entries, copies against their coupons, orders against their lines and
    events, and all of these against the command log, including who came first. It reads one
    moment and writes nothing. It needs the database only.

    Exit 0: all invariants hold. 1: violations, the first 20 of each shown. 2: it could not look.
    """
    settings = load_settings()
    from app import audit as audits  # noqa: PLC0415

    with watching() as watch:
        verdict = _run(audits.audit(settings, watch))
    click.echo(audits.as_json(verdict) if as_json else audits.described(verdict))
    if verdict.violations:
        raise click.exceptions.Exit(1)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        # The status of violations found would be a lie.
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED_STATUS)
