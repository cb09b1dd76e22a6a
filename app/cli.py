"""The console command `fairline`. What a command needs is imported when it runs, not before."""

import sys
from typing import Any

import click

from app.addresses import address_of, require_free, why_unwell
from app.cli_audit import audit
from app.cli_catalog import admin_group, balance, coupon, product
from app.cli_dlq import dlq
from app.cli_kafka import kafka
from app.cli_log import log_group
from app.cli_ranking import check, rebuild, run_batch, show
from app.cli_services import services
from app.cli_settings import connected_settings, load_settings, show_settings
from app.identity import require_identity
from app.loops import run_loop
from app.services.errors import StartError


class Fairline(click.Group):
    """Says in one line on standard error why something cannot start, and leaves."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except StartError as error:
            click.echo(f"fairline: {error}", err=True)
            sys.exit(error.exit_status)


@click.group(cls=Fairline, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fairline")
def main() -> None:
    """A commerce backend for moments when everybody wants the same thing at once.

    To try it, type `fairline run`: it brings its own Kafka and database, makes demo data, and
    prints commands to copy. Everything is set by FAIRLINE_ environment variables; `fairline
    settings` lists them. The other commands are the parts of which a larger installation is
    made: first `migrate`, then as many `edge` and `worker` processes as you like.
    """


@main.command()
def run() -> None:
    """Run all of Fairline here, until Ctrl-C.

    It brings its own Kafka and an SQLite file.

    The data stay in FAIRLINE_DATA_DIR (.fairline) for the next start. With FAIRLINE_KAFKA_URL
    or FAIRLINE_DATABASE_URL set, that Kafka or database is used instead of an own one.
    """
    from app.supervisor import supervise  # noqa: PLC0415

    settings = load_settings()
    require_identity(settings)
    supervise(settings)


@main.command()
@click.option("--with-worker", is_flag=True, help="Apply commands in this process as well.")
def edge(*, with_worker: bool) -> None:
    """Serve HTTP requests.

    It appends commands to Kafka, waits for their outcomes and answers with them.

    Run several behind a load balancer, each with a FAIRLINE_EDGE_NUMBER of its own. GET /readyz
    says whether one is ready.
    """
    settings = connected_settings("edge")
    require_identity(settings)
    require_free(settings, "http_port", "metrics_port", *(["worker_port"] if with_worker else []))
    from app.node import run_edge  # noqa: PLC0415

    run_loop(run_edge(settings, with_worker=with_worker))


@main.command()
@click.option(
    "--kind",
    type=click.Choice(["commands", "ranking", "gateway"]),
    default="commands",
    show_default=True,
    help="commands: apply commands to the database. ranking: keep the live best-seller list. "
    "gateway: pass on the commands of services (FAIRLINE_INGRESS).",
)
def worker(kind: str) -> None:
    """Apply commands, keep the live ranking, or let services in.

    Run as many of each kind as there is work for. Workers of one kind share the partitions
    among them: when one leaves, the others take over.
    """
    settings = connected_settings(f"worker-{kind}")
    ports = {"commands": "worker_port", "ranking": "ranking_port", "gateway": "gateway_port"}
    require_free(settings, ports[kind])
    from app import gateway, node  # noqa: PLC0415

    run = {"commands": node.run_command_worker, "ranking": node.run_ranking_worker}
    run_loop(run.get(kind, gateway.run_gateway)(settings))


@main.command()
def migrate() -> None:
    """Prepare the database and the topics.

    It brings the tables to this version and makes the Kafka topics that are missing.

    Run it once before the first start and after each upgrade. Done again it changes nothing.
    """
    settings = connected_settings("migrate")
    from app.prepare import prepare  # noqa: PLC0415

    prepare(settings)


@main.command()
def seed() -> None:
    """Define the demo data.

    20 products and the coupons WELCOME and RUSH100. Needs a running worker. Done again it
    changes nothing.
    """
    settings = connected_settings("seed")
    from app.seed import seed  # noqa: PLC0415

    run_loop(seed(settings))


@main.command()
@click.option("--port", type=int, required=True, help="The edge's, or a worker's web port.")
@click.option("--live", is_flag=True, help="Ask whether it lives: a no means, start it anew.")
def ready(port: int, *, live: bool) -> None:
    """Ask a process on this machine whether it is ready.

    Exit 0 says yes, 1 says no, and standard error which checks fail: made for the health checks
    of containers.
    """
    if why := why_unwell(f"http://127.0.0.1:{port}/{'livez' if live else 'readyz'}"):
        click.echo(why, err=True)
        raise click.exceptions.Exit(1)


@main.command()
def tour() -> None:
    """Show commands to paste: all eight use cases."""
    from app.tour import tour  # noqa: PLC0415

    settings = load_settings()
    click.echo(tour(address_of(settings, "http_port"), settings.data_dir))


@main.group()
def ranking() -> None:
    """Look after the best-seller ranking."""


for each in (check, rebuild, run_batch, show):
    ranking.add_command(each)
main.add_command(audit)
main.add_command(product)
main.add_command(coupon)
main.add_command(balance)
main.add_command(admin_group)
main.add_command(kafka)
main.add_command(log_group)
main.add_command(dlq)
main.add_command(services)
main.add_command(show_settings)


if __name__ == "__main__":
    main()
