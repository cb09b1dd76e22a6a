"""`fairline ranking`: the live ranking checked and rebuilt, the daily ones made and shown."""

from datetime import datetime

import click

from app.cli_running import run, tell
from app.cli_settings import connected_settings, load_settings

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(*, as_json: bool) -> None:
    """Compare the live ranking with the database, while sales go on.

    Every ranking worker compares each product and hour of its own partitions with what the
    orders say. Exit 0: no difference. 1: differences, the first of them shown. 2: it could not
    be done.
    """
    settings = connected_settings("ranking-check")
    from app import ranking  # noqa: PLC0415

    found = run(ranking.check(settings, tell))
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

    run(ranking.rebuild(settings, tell, wait_seconds))
    if not no_check:
        context.invoke(check)


@click.command("run-batch")
@click.option(
    "--date",
    "day",
    type=DAY,
    help="The day that begins with the midnight up to which sales count [default: today].",
)
@click.option("--again", is_flag=True, help="Replace the ranking that is stored for the day.")
def run_batch(day: datetime | None, *, again: bool) -> None:
    """Make the daily ranking now, and show it.

    The ranking worker makes it every midnight by itself, and makes up for those of the last week
    that were missed. A ranking that was made before stays as it is and is shown, unless --again
    is given: then it is summed anew, from the orders as they are now, and replaced.

    It is compared with the live table, over the hours that both hold.
    """
    settings = connected_settings("ranking-run-batch")
    from app import daily  # noqa: PLC0415

    made = run(daily.run_batch(settings, day.date() if day else None, again=again))
    click.echo(daily.described(made, settings))


@click.command()
@click.option("--date", "day", type=DAY, help="The day [default: the newest].")
def show(day: datetime | None) -> None:
    """Show a stored daily ranking, and which days have one."""
    settings = load_settings()
    from app import daily  # noqa: PLC0415

    made, days = run(daily.show(settings, day.date() if day else None))
    click.echo(daily.described(made, settings))
    click.echo(daily.days_shown(days))
