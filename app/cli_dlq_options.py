"""What the commands of `fairline dlq` have in common: which letters are meant, and how it ends."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

STATUSES = ("open", "replayed", "discarded")

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Moment(click.ParamType):
    """So long ago, or a date and time (UTC where it has no offset); in epoch milliseconds."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or say what it should be."""
        if found := re.fullmatch(r"(\d{1,6})([smhd])", value):
            ago_seconds = int(found[1]) * _UNIT_SECONDS[found[2]]
            return int((time.time() - ago_seconds) * 1000)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: 90s, 30m, 2h, 3d, or 2026-11-23T09:00", param, ctx)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def filters(command: F) -> F:
    """Add the options that say which letters are meant."""
    since = click.option("--since", type=Moment(), help="Not before: 90s, 30m, 2h, 3d, or a time.")
    reason = click.option("--reason", help="Why they are dead letters, such as UNKNOWN_TYPE.")
    return click.option("--topic", help="Of this topic only.")(reason(since(command)))


epoch = click.option("--epoch", type=int, help="Of this log epoch [default: the newest].")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")


def wanted(topic: str | None, reason: str | None, since: int | None, status: str = "open") -> Any:
    """Make what storage is asked by."""
    from storage.dead_letters import LetterStatus, Wanted  # noqa: PLC0415

    return Wanted(topic, reason, since, None if status == "all" else LetterStatus(status))
