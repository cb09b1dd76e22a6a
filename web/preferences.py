"""What a client prefers of the moment of its answer: the `Prefer` header of RFC 7240.

A preference is no demand: what cannot be read or is not known is as if it were not there.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

WAIT_SECONDS_MAX = 30
"""Longer than this nobody waits: proxies end a request that is silent for a minute."""

_PREFERENCE = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)\s*(?:=\s*"?([^";]*)"?)?\s*(?:;.*)?', re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


class Preference(NamedTuple):
    """When an answer is wanted. `applied` says what of it is heeded, as RFC 7240 has it."""

    wait_seconds: int | None = None
    """How long to wait for the outcome; None for the edge's own time."""
    is_async: bool = False
    """Whether to answer as soon as the command is in the log for good."""
    applied: str = ""


NO_PREFERENCE = Preference()


def read_preferences(headers: Iterable[str]) -> Preference:
    """Read `Prefer` headers; of a preference that comes twice the first one counts.

    With both, `respond-async` says what to do when `wait` is over; alone it does not wait.
    """
    told: dict[str, str] = {}
    for text in ",".join(headers).split(","):
        if found := _PREFERENCE.fullmatch(text):
            told.setdefault(found[1].lower(), (found[2] or "").strip())
    seconds = _seconds(told.get("wait"))
    applied = [f"wait={seconds}"] if seconds is not None else []
    if "respond-async" in told:
        applied.insert(0, "respond-async")
    is_async = not seconds if "respond-async" in told else seconds == 0
    return Preference(None if is_async else seconds, is_async, ", ".join(applied))


def _seconds(text: str | None) -> int | None:
    return min(int(text), WAIT_SECONDS_MAX) if text and _SECONDS.fullmatch(text) else None
