"""How a command does its work: until it is done, or until Ctrl-C."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

# What shells report of a process that Ctrl-C ended: any other status would be a lie.
INTERRUPTED_STATUS = 130

T = TypeVar("T")


def tell(line: str) -> None:
    """Show progress apart from the result, which may go to a program."""
    click.echo(line, err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run until it is done, or until Ctrl-C."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        tell("interrupted")
        sys.exit(INTERRUPTED_STATUS)
