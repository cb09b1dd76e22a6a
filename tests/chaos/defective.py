"""Fairline with a defect from outside: `python -m tests.chaos.defective NAME WORDS...`.

The product has no hook for this: what a module looks up by name is put in another's place before
the command line starts. Where the database's own constraints would stop a defect from doing harm,
they are taken off it (LOOSENED): the checker must notice without their help.
"""

import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import ModuleType
from typing import Any

from domain import coupons
from domain.events import Reason, Refusal
from domain.state import Decision
from storage.marks import LockedMarks, Mark
from streams import batch, publisher

ONE_ROW_PER_RECORD = (
    "ALTER TABLE command_log DROP CONSTRAINT command_log_epoch_topic_partition_offset_uq"
)
ONE_CLAIM_PER_COMMAND = "ALTER TABLE command_ids DROP CONSTRAINT command_ids_pk"
ONE_ENTRY_PER_COMMAND = (
    "ALTER TABLE balance_entries DROP CONSTRAINT balance_entries_command_id_user_id_uq"
)


def put(module: ModuleType, name: str, made_of: Callable[[Any], Any]) -> None:
    """Put something in the place of what a module knows by a name; it is made of that."""
    setattr(module, name, made_of(getattr(module, name)))


def mark_not_written() -> None:
    """Every fifth batch leaves its marks where they were."""
    calls = itertools.count(1)

    def save_some(save_marks: Any) -> Any:
        return lambda writes, marks: next(calls) % 5 and save_marks(writes, marks)

    put(batch, "save_marks", save_some)


def event_lost() -> None:
    """The events of every third row that has some are not published."""
    calls = itertools.count(1)

    def decode_some(decode_outbox: Any) -> Any:
        def decode(events: str | None) -> Any:
            decoded = decode_outbox(events)
            return [] if decoded and next(calls) % 3 == 0 else decoded

        return decode

    put(publisher, "decode_outbox", decode_some)


def double_application() -> None:
    """Nobody looks whether a command is known: a sender's retry is applied once more."""

    put(batch, "ask_known", lambda _: lambda _lookups, _keys: dict)


def fence_removed() -> None:
    """Marks are remembered in the process and locked by nobody; the database is asked once."""
    remembered: dict[tuple[str, int], Mark] = {}

    def remember(ask_marks: Any) -> Any:
        def ask(lookups: Any, topic: str, partitions: Iterable[int]) -> Any:
            wanted = set(partitions)
            new = {number for number in wanted if (topic, number) not in remembered}
            found = ask_marks(lookups, topic, new) if new else lambda: LockedMarks({}, False)

            def marks() -> LockedMarks:
                locked = found()
                remembered.update({(topic, n): mark for n, mark in locked.marks.items()})
                here = {number: remembered[topic, number] for number in wanted}
                return LockedMarks(here, locked.waited)

            return marks

        return ask

    put(batch, "ask_marks", remember)


def number_skipped() -> None:
    """Every fifth copy of a coupon takes the number after the next one."""
    calls = itertools.count(1)

    def skip(issue: Any) -> Any:
        def issue_later(coupon: Any, command: Any, terms: Any) -> Any:
            skips = next(calls) % 5 == 0 and coupon.issued + 1 < coupon.total
            one_on = replace(coupon, issued=coupon.issued + 1) if skips else coupon
            return issue(one_on, command, terms)

        return issue_later

    put(coupons, "_issue", skip)


def refused_out_of_turn() -> None:
    """Every fifth who comes for a copy is told that none is left, though there are."""
    calls = itertools.count(1)
    told = Decision(Refusal(Reason.COUPON_SOLD_OUT, "All copies are issued.", {}))

    def refuse(issue: Any) -> Any:
        return lambda *asked: issue(*asked) if next(calls) % 5 else told

    put(coupons, "_issue", refuse)


DEFECTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        mark_not_written,
        event_lost,
        double_application,
        fence_removed,
        number_skipped,
        refused_out_of_turn,
    )
}
LOOSENED: dict[str, tuple[str, ...]] = {
    "mark_not_written": (ONE_ROW_PER_RECORD,),
    "double_application": (ONE_CLAIM_PER_COMMAND, ONE_ENTRY_PER_COMMAND),
    "fence_removed": (ONE_ROW_PER_RECORD,),
}
"""What keeps a defect from doing harm, and is taken off the database for it."""


if __name__ == "__main__":
    DEFECTS[sys.argv.pop(1)]()
    from app.cli import main

    main()
