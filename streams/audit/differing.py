"""Where a command came out differently than the command log says, and why that may be."""

from collections.abc import Iterator
from typing import Any

from storage.command_log import Disposition, LogRow
from streams.audit.facts import UNREADABLE, decode
from streams.decisions import Rulebook
from streams.outcomes import Answer

# A body may be long, and what differs is at its beginning most times.
_SHOWN_CHARACTERS = 300


def is_told(row: LogRow, told: Answer) -> bool:
    """Tell whether this is the answer that a row holds."""
    return row.status == told.status and _is_same(row.body, told.body.decode())


def difference_of(stored: LogRow, made: LogRow) -> str | None:
    """Say where a row that was made again differs from the one that is stored; None: nowhere."""
    if (stored.disposition, stored.status) != (made.disposition, made.status):
        was = f"{stored.disposition} {stored.status} {_short(stored.body)}"
        return f"was {was}, and is {made.disposition} {made.status} {_short(made.body)}"
    if not _is_same(stored.body, made.body):
        return f"said {_short(stored.body)}, and says {_short(made.body)}"
    if not _is_same(stored.events or "[]", made.events or "[]"):
        return f"told {_short(stored.events or '')}, and tells {_short(made.events or '')}"
    return None


def _is_same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return bool(_without_nulls(decode(one)) == _without_nulls(decode(other)))
    except UNREADABLE:
        return False


def _without_nulls(said: Any) -> Any:
    """Leave out members that are null: a later version may have added them."""
    if isinstance(said, dict):
        return {name: _without_nulls(each) for name, each in said.items() if each is not None}
    return [_without_nulls(each) for each in said] if isinstance(said, list) else said


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def settings_of_then(stored: LogRow, made: LogRow, rulebook: Rulebook) -> Iterator[str]:
    """Say which settings of today are not those that a command was decided by."""
    try:
        was, is_now = decode(stored.body), decode(made.body)
        if stored.type in ("ChargeBalance", "CreditBalance"):
            yield from _maximum_of_then(stored, was, rulebook)
        elif stored.type == "CreateOrder" and was.get("expiresAt") != is_now.get("expiresAt"):
            seconds = rulebook.order_expiry_ms / 1000
            yield f"FAIRLINE_ORDER_EXPIRY_SECONDS was not {seconds:g} then"
    except UNREADABLE:
        return


def _maximum_of_then(stored: LogRow, was: dict[str, Any], rulebook: Rulebook) -> Iterator[str]:
    balance_max = rulebook.balance_max
    is_over = stored.disposition == Disposition.APPLIED and was["balance"] > balance_max
    if was.get("balanceMax", balance_max) != balance_max or is_over:
        yield f"FAIRLINE_BALANCE_MAX was not {balance_max} then"
