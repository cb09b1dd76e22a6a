"""`fairline log`: the tie between the database and the Kafka log, and how long rows are kept."""

import asyncio

import click

from app.cli_settings import connected_settings


@click.group("log")
def log_group() -> None:
    """Look after the command log: its tie to Kafka, its pruning."""


@log_group.command()
def adopt() -> None:
    """Let the database follow this Kafka log from now on.

    A worker refuses to start where its database belongs to another log, or the log was made
    anew. This begins a new log epoch at what the broker holds. Commands that the database knows
    are not applied again.
    """
    from app.adopt import adopt as adopt_log  # noqa: PLC0415

    epoch = asyncio.run(adopt_log(connected_settings("adopt")))
    click.echo(f"the database follows this log from now on: epoch {epoch}")


@log_group.command()
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
def prune(*, dry_run: bool) -> None:
    """Take rows out of the command log that are past the idempotency window.

    Workers do the same every ten minutes; this does it at once, beside them or without them.
    FAIRLINE_RETENTION_DAYS is the window. Rows go that are older, whose outcome was published
    and acknowledged, oldest first.
    """
    from app.prune import prune as prune_log  # noqa: PLC0415

    asyncio.run(prune_log(connected_settings("prune"), click.echo, dry_run=dry_run))
