"""One user's results as server-sent events, and the place to go on from in each event's id. Pure.

A row of the log may be seen after rows with higher numbers. So a place is a number up to which
all rows were told, and the few above it that were told already.
"""

import re
from typing import NamedTuple

import msgspec

from storage.results import FirstOutcome
from web.shapes import DONE, CommandState, encode

_POSITION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,500}", re.ASCII)


class Position(NamedTuple):
    """How far a client was told."""

    settled: int
    told: frozenset[int] = frozenset()

    def knows(self, row_id: int) -> bool:
        """Tell whether the client was told of this row."""
        return row_id <= self.settled or row_id in self.told

    def after(self, row_id: int, settled: int) -> "Position":
        """Return the place once a row was told; up to `settled` there is nothing else to tell."""
        settled = max(settled, self.settled)
        told = (each for each in (*self.told, row_id) if each > settled)
        return Position(settled, frozenset(told))


def write_position(position: Position) -> str:
    """Write a place as the id of an event."""
    return ".".join(map(str, (position.settled, *sorted(position.told))))


def read_position(text: str) -> Position | None:
    """Read the id of an event; None where it is none of ours."""
    if not _POSITION.fullmatch(text):
        return None
    settled, *told = map(int, text.split("."))
    return Position(settled, frozenset(told))


def event_of(outcome: FirstOutcome, position: Position) -> bytes:
    """Make the event of an outcome, with the place after it."""
    body = msgspec.Raw(outcome.body.encode())
    state = CommandState(outcome.command_id, DONE, outcome.status, body)
    name = write_position(position).encode()
    return b"event: result\nid: %b\ndata: %b\n\n" % (name, encode(state))


def begin_event(position: Position) -> bytes:
    """Make the event that tells a client that it follows from here on, and misses nothing."""
    return b"event: begin\nid: %b\ndata: {}\n\n" % write_position(position).encode()
