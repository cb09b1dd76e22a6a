"""`fairline dlq replay` and `discard`: what closes dead letters, with a name to it."""

import socket
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from app import cli_dlq_options as options
from app.cli_running import run, tell
from app.cli_settings import connected_settings, load_settings
from app.settings import Settings
from app.who import user_name

F = TypeVar("F", bound=Callable[..., Any])
Given = dict[str, Any]
"""The options of a command by name, as they were typed."""


class Meant(NamedTuple):
    """The letters that a command is for: the one at a place, or all open ones that fit."""

    place: tuple[str, int, int] | None
    epoch: int | None
    wanted: Any


def _letters(command: F) -> F:
    """Add what says which letters are meant, and who does it."""
    for option in (
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option("--by", help="Who does it [default: user and host]."),
        options.filters,
        options.epoch,
        click.argument("place", nargs=-1, metavar="[TOPIC PARTITION OFFSET]"),
    ):
        command = option(command)
    return command


def _meant(given: Given) -> Meant:
    """Read which letters are meant: a place or filters, never both, never all by accident."""
    place = given["place"]
    named = {name: given[name] for name in ("topic", "reason", "since")}
    if bool(place) == any(value is not None for value in named.values()):
        message = "name one letter by TOPIC PARTITION OFFSET, or several by --topic, --reason"
        raise click.UsageError(f"{message} or --since")  # noqa: EM102 - it is one sentence.
    wanted = options.wanted(**named)
    if not place:
        if given["epoch"] is not None:
            message = "--epoch goes with TOPIC PARTITION OFFSET"
            raise click.UsageError(message)
        return Meant(None, None, wanted)
    if len(place) != 3 or not (place[1] + place[2]).isdecimal():
        message = "a letter is named by TOPIC PARTITION OFFSET: a name and two numbers"
        raise click.UsageError(message)
    return Meant((place[0], int(place[1]), int(place[2])), given["epoch"], wanted)


def _asker(given: Given) -> Any:
    from app.dlq import Asker  # noqa: PLC0415

    return Asker(given["by"] or f"{user_name()}@{socket.gethostname()}", given["why"])


@click.command()
@_letters
@click.option("--key", help="Append it under this key in place of its own.")
@click.option(
    "--value-file",
    type=click.File("rb"),
    help="Append this file's bytes in place of its value; - is standard input.",
)
@click.option("--why", help="Kept beside who did it.")
@options.as_json
@click.option(
    "--wait-seconds",
    type=click.FloatRange(min=1),
    default=60,
    show_default=True,
    help="How long to wait until a worker has applied it.",
)
def replay(**given: Any) -> None:
    """Try a dead letter again, or all open ones that fit.

    Key, value and headers are appended to the topic they came from, at the key's partition, and
    applied by the workers like any record: behind what is there by now, and at the time of now.
    Of all replays of a letter one is applied, so it is safe to replay again after a crash, and
    for two people to do it at once.

    What would be a dead letter again is not appended. A value that cannot be read is repaired by
    --value-file (`show --raw` writes the original), a key that is wrong or missing by --key.

    Exit 0: applied with success. 1: refused, or closed by somebody else before.
    """
    meant = _meant(given)
    is_corrected = given["key"] is not None or given["value_file"] is not None
    if is_corrected and meant.place is None:
        message = "--key and --value-file are for one letter, named by TOPIC PARTITION OFFSET"
        raise click.UsageError(message)
    settings = connected_settings("dlq-replay")
    results = (_replay_all if meant.place is None else _replay_one)(settings, meant, given)
    _show_results(results, as_json=given["as_json"])


def _replay_one(settings: Settings, meant: Meant, given: Given) -> list[Any]:
    from app import dlq as letters  # noqa: PLC0415
    from app.dlq_replay import Correction, replay_one  # noqa: PLC0415

    key, file = given["key"], given["value_file"]
    correction = Correction(
        None if key is None else key.encode(), None if file is None else file.read()
    )
    assert meant.place is not None
    letter = run(letters.find_one(settings, meant.place, meant.epoch))
    done = replay_one(
        settings, letter, correction, _asker(given), wait_seconds=given["wait_seconds"]
    )
    return [run(done)]


def _replay_all(settings: Settings, meant: Meant, given: Given) -> list[Any]:
    from app import dlq as letters  # noqa: PLC0415
    from app.dlq_replay import fit_letters, replay_all  # noqa: PLC0415

    found = run(letters.list_all(settings, meant.wanted))
    fit = run(fit_letters(settings, found, tell))
    _ask(f"Replay {len(fit)} of {len(found)} open dead letters, oldest first?", fit, given)
    return run(replay_all(settings, fit, _asker(given), tell, wait_seconds=given["wait_seconds"]))


def _ask(question: str, found: list[Any], given: Given) -> None:
    """Ask before many letters are closed; leave where the answer is no."""
    if found and not given["yes"]:
        click.confirm(question, abort=True, err=True)


def _show_results(results: list[Any], *, as_json: bool) -> None:
    from app.dlq_json import replayed_as_json  # noqa: PLC0415
    from app.dlq_text import result  # noqa: PLC0415

    if as_json:
        click.echo(replayed_as_json(results))
    else:
        for each in results:
            click.echo(result(each))
        if not results:
            tell("nothing was replayed")
    if not all(each.succeeded for each in results):
        raise click.exceptions.Exit(1)


@click.command()
@_letters
@click.option("--why", required=True, help="Kept beside who did it.")
def discard(**given: Any) -> None:
    """Put a dead letter aside, or all open ones that fit.

    It is not applied, and can no longer be replayed. It stays where it is, and `list --status
    discarded` shows it.
    """
    meant = _meant(given)
    settings = load_settings()
    from app import dlq as letters  # noqa: PLC0415

    if meant.place is not None:
        letter = run(letters.find_one(settings, meant.place, meant.epoch))
        found = [letters.place_of(letter)]
    else:
        found = run(letters.list_all(settings, meant.wanted))
        _ask(f"Discard {len(found)} open dead letters?", found, given)
    closed = run(letters.discard(settings, found, _asker(given), tell))
    click.echo(f"discarded: {closed} of {len(found)}")
    if closed < len(found):
        raise click.exceptions.Exit(1)
