"""Makes a database of a million commands out of one of some thousand, by copies of all its rows.

Each copy has users, products, coupons and ids of its own, and is a log epoch of its own; so it is
as true as the first, and nobody waits for hours until a million commands are applied.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

# Ids of the first copy begin so; a copy's number takes the place of the three zeros.
USER, PRODUCT, COUPON = 7_000_000_000, 8_000_000_000, "C000-"
_STEP = 1_000_000

_NUMBERED = (
    "wallets",
    "products",
    "coupons",
    "orders",
    "order_lines",
    "user_coupons",
    "balance_entries",
    "command_log",
    "command_ids",
)
_DRAWN = ("id", "entry_id")


def copy(file: Path, copies: int) -> None:
    """Add copies to what an SQLite file holds."""
    with closing(sqlite3.connect(file)) as connection:
        connection.create_function("fingerprint", 2, _fingerprint, deterministic=True)
        for number in range(1, copies):
            for table in _NUMBERED:
                _copy_table(connection, table, number)
            connection.commit()
        moved = "UPDATE partition_marks SET epoch = ?"
        connection.execute(moved, (copies,))
        connection.execute("INSERT INTO log_epochs VALUES (?, 'copies', 0)", (copies,))
        connection.commit()
        connection.execute("ANALYZE")


def _fingerprint(kind: str, payload: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{payload}".encode()).digest()


def _copy_table(connection: sqlite3.Connection, table: str, number: int) -> None:
    listed = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = [name for name in listed if name not in _DRAWN]
    values = ", ".join(_copied(name, number) for name in columns)
    named = ", ".join(f'"{name}"' for name in columns)
    # The first copy is what has the first epoch, or ids that begin with zeros.
    ordered = f" ORDER BY {listed[0]}" if listed[0] in _DRAWN else ""
    first = _first(table)
    connection.execute(
        f"INSERT INTO {table} ({named}) SELECT {values} FROM {table} WHERE {first}{ordered}"
    )


def _first(table: str) -> str:
    if table in ("command_log", "command_ids"):
        return "epoch = 1"
    if table in ("wallets", "balance_entries", "user_coupons"):
        return f"user_id < {USER + _STEP}"
    if table == "products":
        return f"product_id < {PRODUCT + _STEP}"
    return f"{'coupon_id' if table == 'coupons' else 'order_id'} LIKE '00000000-%'"


def _copied(name: str, number: int) -> str:
    """Return the SQL of a column's value in a copy."""
    special = {
        "epoch": str(number + 1),
        "user_id": f"user_id + {number * _STEP}",
        "product_id": f"product_id + {number * _STEP}",
        "fingerprint": f"fingerprint(type, {_in_json('payload', number)})",
    }
    if name in ("body", "payload", "events"):
        return _in_json(name, number)
    if name in ("key", "coupon_code", "principal"):
        return _in_text(name, number)
    if name.endswith(("command_id", "order_id", "coupon_id")):
        return f"'{number:08x}' || substr({name}, 9)"
    return special.get(name, f'"{name}"')


def _in_text(name: str, number: int) -> str:
    return (
        f"CASE WHEN {name} LIKE '_000______' OR {name} LIKE '_000-%'"
        f" OR length({name}) = 10 THEN substr({name}, 1, 1) || '{number:03}' || substr({name}, 5)"
        f" ELSE {name} END"
    )


def _in_json(name: str, number: int) -> str:
    changed = name
    for old, new in (
        ('"00000000-', f'"{number:08x}-'),
        (f'"userId":{USER // _STEP}', f'"userId":{USER // _STEP + number}'),
        (f'"productId":{PRODUCT // _STEP}', f'"productId":{PRODUCT // _STEP + number}'),
        (f'"{COUPON}', f'"C{number:03}-'),
        ('"epoch":1,', f'"epoch":{number + 1},'),
    ):
        changed = f"replace({changed}, '{old}', '{new}')"
    return changed
