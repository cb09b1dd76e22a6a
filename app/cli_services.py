"""`fairline services`: the real servers, for people who have no others."""

import shlex
from pathlib import Path

import click

from app.cli_settings import load_settings

NAME_TO_VARIABLE = {
    "kafka": "FAIRLINE_KAFKA_URL",
    "postgres": "FAIRLINE_DATABASE_URL",
    "valkey": "FAIRLINE_REDIS_URL",
}


@click.group()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Their data [default: services in the data folder].",
)
@click.pass_context
def services(context: click.Context, folder: Path | None) -> None:
    """Real servers in the background.

    Kafka, PostgreSQL and Valkey (it speaks Redis' protocol). They listen on this machine alone
    and keep their data in a folder. Start them, then take over their URLs in your shell:

        eval "$(fairline services up)"

    From then on `fairline run` and all other commands use them. No root, no package manager
    and no containers are needed; the first start downloads Kafka (42 MB).
    """
    context.obj = (folder or load_settings().data_dir / "services").absolute()


@services.command()
@click.pass_obj
def up(folder: Path) -> None:
    """Start all three and print their URLs."""
    from app.services import background  # noqa: PLC0415

    ran = bool(background.status(folder))
    running = background.up(folder)
    click.echo(f"the services are {'up already' if ran else 'up'} in {folder}", err=True)
    for each in running:
        click.echo(f"export {NAME_TO_VARIABLE[each.name]}={shlex.quote(each.url)}")


@services.command()
@click.pass_obj
def down(folder: Path) -> None:
    """Stop all three; their data stay for the next start."""
    from app.services import background  # noqa: PLC0415

    stopped = background.down(folder)
    click.echo(f"the services in {folder} {'are stopped' if stopped else 'were not running'}")


@services.command()
@click.pass_obj
def status(folder: Path) -> None:
    """Show each with its URL and process id."""
    from app.services import background  # noqa: PLC0415

    running = background.status(folder)
    for each in running:
        click.echo(f"{each.product:<20} {each.url:<80} pid {each.pid}")
    if not running:
        click.echo(f"no services run in {folder}")
        raise click.exceptions.Exit(1)
