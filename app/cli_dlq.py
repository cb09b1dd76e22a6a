"""`fairline dlq`: records that could not be applied, looked at, tried again, or put aside."""

from typing import Any

import click

from app import cli_dlq_options as options
from app.cli_dlq_deeds import discard, replay
from app.cli_running import run, tell
from app.cli_settings import load_settings

# Wide enough for every column where a file or a program reads, which has no width.
WIDTH_WITHOUT_TERMINAL = 240


@click.group()
def dlq() -> None:
    """Look after dead letters: list, replay, discard.

    A dead letter is a record that could not be applied: it is no command, has the wrong key or
    partition, has data that the database refuses, or a rule of ours failed. It stopped nobody,
    and is kept byte for byte.

    `list` shows them and `show` tells all of one. Then there are two ways to close it: `replay`
    tries it again, once, and `discard` puts it aside. Who did it, when and why is kept, and
    `show` tells that too. Nothing is ever deleted.

    A letter is named by TOPIC PARTITION OFFSET, the first three columns of the list.
    """


@dlq.command("list")
@options.filters
@click.option(
    "--status",
    type=click.Choice([*options.STATUSES, "all"]),
    default="open",
    show_default=True,
    help="What has become of them.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="So many."
)
@click.option(
    "--after",
    nargs=3,
    type=(str, int, int),
    metavar="TOPIC PARTITION OFFSET",
    help="Go on behind this letter.",
)
@options.as_json
def list_letters(
    *, limit: int, after: tuple[str, int, int] | None, as_json: bool, **wanted: Any
) -> None:
    """List dead letters, newest first.

    Where there may be more than --limit, the last line says how to go on.
    """
    settings = load_settings()
    from app import dlq as letters  # noqa: PLC0415
    from app.dlq_json import listed_as_json  # noqa: PLC0415

    page = run(letters.list_page(settings, options.wanted(**wanted), limit, after))
    if as_json:
        click.echo(listed_as_json(page))
        return
    _show_table(page)
    if len(page) == limit:
        tell(f"there may be more: --after {letters.named(page[-1].letter)}")


def _show_table(page: list[Any]) -> None:
    from rich.console import Console  # noqa: PLC0415

    from app.dlq_text import table  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    if page:
        console.print(table(page))
    else:
        tell("no dead letters")


@dlq.command()
@click.argument("topic")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@options.epoch
@options.as_json
@click.option("--raw", is_flag=True, help="Only the value, byte for byte.")
def show(*, epoch: int | None, as_json: bool, raw: bool, **place: Any) -> None:
    """Show all that is known of a dead letter.

    Its bytes, why it could not be applied, and what operators have done about it since.
    """
    settings = load_settings()
    from app import dlq as letters  # noqa: PLC0415
    from app.dlq_json import shown_as_json  # noqa: PLC0415
    from app.dlq_text import described  # noqa: PLC0415

    at = (place["topic"], place["partition"], place["offset"])
    shown = run(letters.show(settings, at, epoch))
    if raw:
        _write(shown.letter.value)
    else:
        click.echo(shown_as_json(shown) if as_json else described(shown))


def _write(value: bytes | None) -> None:
    if value is None:
        tell("the record has no value")
        raise click.exceptions.Exit(1)
    click.get_binary_stream("stdout").write(value)


dlq.add_command(replay)
dlq.add_command(discard)
