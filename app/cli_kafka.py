"""`fairline kafka`: what Kafka's administrator needs to know of us."""

import click

from app.cli_settings import load_settings


@click.group()
def kafka() -> None:
    """Tell Kafka's administrator what is needed there."""


@kafka.command("acls")
def show_acls() -> None:
    """List access lists for Kafka's own tool, by role; nothing is changed.

    Add --bootstrap-server and --command-config, and put your users in the place of the roles.
    """
    from app.acls import command_of, rules_of  # noqa: PLC0415

    for rule in rules_of(load_settings()):
        click.echo(command_of(rule))
