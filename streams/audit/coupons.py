"""Who came first: the commands of each coupon, in the order of the log."""

from collections.abc import Iterator

from domain.audit.findings import FIRST_COME
from domain.audit.first_come import FirstCome
from storage.command_log import Disposition, LogRow
from streams.audit.books import Books, shown
from streams.audit.facts import decode

_SOLD_OUT = "COUPON_SOLD_OUT"


class CouponRows:
    """Looks at rows that issue or define coupons; others are passed over."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._first_come = FirstCome(from_the_start=books.horizon.is_whole)

    def look(self, row: LogRow) -> None:
        """Look at one row."""
        if row.type == "IssueCoupon":
            self._books.note(FIRST_COME, self._look_at_issue(row))
        elif row.type == "DefineCoupon" and row.disposition == Disposition.APPLIED:
            self._first_come.define(row.key or "", decode(row.body)["total"])

    def _look_at_issue(self, row: LogRow) -> Iterator[str]:
        code = row.key or ""
        if row.disposition == Disposition.APPLIED:
            yield from self._first_come.serve(code, decode(row.body)["number"], shown(row))
        elif row.disposition == Disposition.REFUSED and decode(row.body)["code"] == _SOLD_OUT:
            yield from self._first_come.sell_out(code, shown(row))
