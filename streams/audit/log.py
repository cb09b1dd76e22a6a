"""The pass over the command log: each row against those before it, and what it says was done."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit.findings import LOG_ORDER
from domain.audit.log import Line, LogOrder, Partition
from storage.audit import First, Logged, load_firsts
from storage.command_log import Disposition
from streams.audit.applied import TELLS_EVENTS, AppliedRows
from streams.audit.books import Books
from streams.audit.coupons import CouponRows
from streams.audit.outcomes import Outcomes

_AGAIN = (Disposition.REPEATED, Disposition.CONFLICT, Disposition.DEAD)


class LogPass:
    """Reads the command log in the order of its ids, which is that of each partition."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._order = LogOrder(books.horizon.epoch, books.horizon.marks)
        self._outcomes = Outcomes(books)
        self._applied = AppliedRows(books)
        self._coupons = CouponRows(books)

    async def read(self, connection: AsyncConnection, rows: Sequence[Logged]) -> None:
        """Look at the next rows."""
        firsts = await load_firsts(connection, _ids_to_look_up(rows))
        self._applied.tellers = _count_tellers(firsts)
        by_key = {(first.claim.principal, first.claim.command_id): first for first in firsts}
        for logged in rows:
            self._look_at_place(logged)
            row = logged.row
            first = by_key.get((row.principal or "", row.command_id or ""))
            self._outcomes.look(logged, first)
            with self._books.reading(row):
                self._coupons.look(row)
            if row.disposition == Disposition.APPLIED:
                self._applied.look(row)

    def close(self) -> None:
        """Say what can only be said at the end."""
        if self._order.absent:
            note = f"{self._order.absent} offsets have no row: markers of transactions, or pruned"
            self._books.findings.of(LOG_ORDER).note = note

    def _look_at_place(self, logged: Logged) -> None:
        row = logged.row
        partition = Partition(row.epoch, row.topic, row.partition)
        line = Line(partition, row.offset, row.accepted_at_ms)
        self._books.note(LOG_ORDER, self._order.add(line))


def _ids_to_look_up(rows: Sequence[Logged]) -> list[str]:
    """List the command ids that other rows may have as well."""
    return [
        row.command_id
        for _, row in rows
        if row.command_id is not None and (row.disposition in _AGAIN or row.type in TELLS_EVENTS)
    ]


def _count_tellers(firsts: Sequence[First]) -> dict[str, int]:
    """Count the commands under each id that have told events: ids are a principal's own."""
    tellers: dict[str, int] = {}
    for first in firsts:
        if first.type in TELLS_EVENTS and first.disposition == Disposition.APPLIED:
            command_id = first.claim.command_id
            tellers[command_id] = tellers.get(command_id, 0) + 1
    return tellers
