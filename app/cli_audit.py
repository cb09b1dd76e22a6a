"""`fairline audit`: what is stored, held against itself and the commands that made it."""

import click

from app.cli_running import run
from app.cli_settings import load_settings
from app.progress import watching


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.option(
    "--replay",
    "is_replay",
    is_flag=True,
    help="Carry out the command log again, from nothing, and compare what comes of it.",
)
@click.option(
    "--into",
    metavar="URL",
    help="The empty database for --replay [default: an SQLite file that is deleted afterwards].",
)
def audit(*, as_json: bool, is_replay: bool, into: str | None) -> None:
    """Hold all that is stored against itself, while commands go on.

    Balances against their entries, copies against their coupons, orders against their lines and
    events, and all of these against the command log, including who came first. It reads one
    moment and writes nothing. It needs the database only.

    With --replay every command of the command log is decided again, in the order of the log's
    ids, at its recorded time; outcomes, events and the state at the end have to be the same. It
    needs a log that was never pruned, and the settings that the commands were decided by.

    Exit 0: all holds. 1: violations, the first 20 of each kind shown. 2: it could not look.
    """
    if into is not None and not is_replay:
        message = "--into is for --replay"
        raise click.UsageError(message)
    settings = load_settings()
    from app import audit as audits  # noqa: PLC0415
    from app.audit_replay import replay  # noqa: PLC0415

    with watching() as watch:
        work = replay(settings, into, watch) if is_replay else audits.audit(settings, watch)
        verdict = run(work)
    click.echo(audits.as_json(verdict) if as_json else audits.described(verdict))
    if verdict.violations:
        raise click.exceptions.Exit(1)
