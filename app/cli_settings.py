"""Settings at the command line: read with plain words for what is wrong, and listed."""

import os
from difflib import get_close_matches

import click
from pydantic import ValidationError

from app.services.errors import StartError
from app.services.folder import holder
from app.services.ports import noted_port
from app.settings import Settings
from app.urls import without_password

PREFIX = "FAIRLINE_"
FOR_TESTS = "FAIRLINE_TEST_"


def load_settings() -> Settings:
    """Settings from the environment; StartError names each one that is wrong."""
    for warning in unknown_settings(list(os.environ)):
        click.echo(warning, err=True)
    try:
        return Settings()
    except ValidationError as error:
        raise StartError("; ".join(_complaints(error))) from None


def connected_settings(process: str) -> Settings:
    """Settings of a process that needs Kafka, with its logs set up under the given name.

    Without a URL it is the Kafka of a `fairline run` that works in the same data folder.
    """
    from app.logs import configure_logs  # noqa: PLC0415

    settings = load_settings()
    configure_logs(settings.log_level, process)
    if settings.kafka_url:
        return settings
    port = settings.kafka_port or noted_port(settings.data_dir / "kafka")
    if holder(settings.data_dir) is None or not port:
        message = "FAIRLINE_KAFKA_URL is not set, and no `fairline run` works in"
        message += f" {settings.data_dir}: set it to a Kafka's host:port"
        raise StartError(message)
    return settings.model_copy(update={"kafka_url": f"127.0.0.1:{port}"})


def unknown_settings(names: list[str]) -> list[str]:
    """A warning for each FAIRLINE_ variable that no setting reads, naming the closest one."""
    known = [variable_of(name) for name in Settings.model_fields]
    strange = [
        name
        for name in names
        if name.startswith(PREFIX) and not name.startswith(FOR_TESTS) and name not in known
    ]
    return [_warning(name, known) for name in sorted(strange)]


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


@click.command("settings")
def show_settings() -> None:
    """List every setting with its value, default and purpose."""
    settings = load_settings()
    for name, field in Settings.model_fields.items():
        value = without_password(str(getattr(settings, name)))
        default = field.get_default(call_default_factory=True)
        changed = "" if str(default) == value else f"  [default: {default}]"
        click.echo(f"{variable_of(name)}={value}{changed}\n    {field.description}")


def _warning(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "; `fairline settings` lists them"
    return f"warning: {name} is not a setting and is ignored{hint}"


def _complaints(error: ValidationError) -> list[str]:
    return [
        f"{variable_of(str(detail['loc'][0]))}: {detail['msg']}, not {detail['input']!r}"
        for detail in error.errors()
    ]
