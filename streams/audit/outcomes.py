"""Outcomes in the command log: statuses, repeats and conflicts, claims, dead letters."""

from domain.audit.findings import CLAIMS, DEAD_LETTERS, OUTCOMES
from domain.audit.log import Told, later_faults, status_faults
from storage.audit import Claim, First, Letter, Logged
from storage.command_log import Disposition, LogRow
from streams.audit.books import Books, place_of, shown
from streams.audit.facts import decode
from streams.outcomes import STATUS_BY_REASON


class Outcomes:
    """Looks at how each row ended, and at the first row of its command id."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def look(self, logged: Logged, first: First | None) -> None:
        """Look at one row. `first` is given for ids that other rows may have as well."""
        row = logged.row
        told = Told(logged.id, row.disposition, row.fingerprint, row.status, row.body)
        faults = list(status_faults(told)) if _is_command(row) else []
        if _is_command(row) and not self._has_lost_its_first(logged.id, first):
            faults += later_faults(told, _told_by(first))
        with self._books.reading(row):
            faults += _reason_faults(row)
        self._books.note(OUTCOMES, [f"{shown(row)}: {fault}" for fault in faults])
        if row.disposition == Disposition.DEAD:
            self._bury(row, first)
        elif row.disposition in (Disposition.APPLIED, Disposition.REFUSED):
            self._claim(row)
        elif row.disposition == Disposition.REPEATED and _is_own_first(row, first):
            # It repeats what was pruned, and stands for it from now on.
            self._claim(row)

    def _has_lost_its_first(self, row_id: int, first: First | None) -> bool:
        """Tell whether the first row of this id was pruned, or gave it up to a replay."""
        if first is not None and first.id <= row_id:
            # A charge that was made under another principal's id is told again, and is a first.
            return first.id == row_id
        if not self._books.horizon.is_whole:
            return True
        return first is not None and first.claim[2:] in self._books.horizon.taken_over

    def _bury(self, row: LogRow, first: First | None) -> None:
        if _is_own_first(row, first):
            self._claim(row)
        with self._books.reading(row):
            letter = Letter(*place_of(row), decode(row.body)["reason"])
            self._books.accounts.tally(DEAD_LETTERS).add(repr(letter))

    def _claim(self, row: LogRow) -> None:
        claim = Claim(row.command_id or "", row.principal or "", *place_of(row))
        self._books.accounts.tally(CLAIMS).add(repr(claim))


def _is_own_first(row: LogRow, first: First | None) -> bool:
    return first is not None and first.claim[2:] == place_of(row)


def _is_command(row: LogRow) -> bool:
    # A replay of a dead letter that came too late is a conflict that names no command.
    return row.command_id is not None or row.disposition != Disposition.CONFLICT


def _told_by(first: First | None) -> Told | None:
    if first is None:
        return None
    return Told(first.id, first.disposition, first.fingerprint, first.status, first.body)


def _reason_faults(row: LogRow) -> list[str]:
    if row.disposition != Disposition.REFUSED:
        return []
    code = decode(row.body)["code"]
    is_right = STATUS_BY_REASON.get(code, row.status) == row.status
    return [] if is_right else [f"{code} with status {row.status}"]
