"""The statements that make a shop's rows in PostgreSQL, from `formulas.sql` and `rows.sql`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.growth import size as sizes
from benchmarks.growth.size import Size
from benchmarks.open_loop.works import COLLECTOR

FOLDER = Path(__file__).parent
# All rows are of a log before the first one: whichever worker comes begins epoch 1 behind them.
_LOG = """
WITH logged AS (
INSERT INTO command_log (id, epoch, topic, partition, "offset", key, command_id, principal, type,
    fingerprint, payload, disposition, status, body, events, reply_to, request_token,
    accepted_at_ms)
SELECT id, 0, topic, line % 8, id, key, id_of(id), principal, kind, print_of(kind, payload),
    payload, 'APPLIED', 200, body, events, 0, md5(id::text), at_ms(id)
FROM (
"""
_LOGGED = """
) AS told RETURNING principal, command_id, epoch, topic, partition, "offset")
INSERT INTO command_ids (principal, command_id, epoch, topic, partition, "offset")
SELECT * FROM logged
"""
_HEAD = re.compile(r"^-- (?P<what>[a-z ]+): (?P<of>[a-z]+)$", re.MULTILINE)


class Filling(NamedTuple):
    """A statement, what it makes, and of how many numbers."""

    what: str
    numbers: int
    statement: str


def formulas(size: Size, now_ms: int) -> str:
    """Return the functions that the statements call; the last of all rows is of now."""
    times = {"start_ms": now_ms - size.span_ms, "span_ms": size.span_ms}
    return (FOLDER / "formulas.sql").read_text().format(**_numbers(size), **times)


def fillings(size: Size) -> Iterator[Filling]:
    """Return the statements of all tables. They may run in any order, and in parts."""
    numbers = _numbers(size)
    _, *parts = _HEAD.split((FOLDER / "rows.sql").read_text())
    for what, of, statement in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        made = statement.format(**numbers, log=_LOG, logged=_LOGGED)
        yield Filling(what, numbers[of], made)


def _numbers(size: Size) -> dict[str, int]:
    named = ("users", "products", "coupons", "charges", "issues", "orders", "first", "records")
    fixed = ("step", "amount", "price", "discount", "stock", "total", "collected")
    return {
        **{name: getattr(size, name) for name in named},
        **{name: getattr(sizes, name.upper()) for name in fixed},
        "collector": COLLECTOR,
    }
