"""What a database holds of a work, and whether its figures agree with each other.

The sides have these tables and columns alike.
"""

from dataclasses import dataclass

import asyncpg

STOCK = 10**9
"""Every product begins with so many pieces."""


@dataclass(frozen=True)
class Applied:
    """What a database holds of one work."""

    count: int
    agrees: bool
    transactions: int = 0
    """What the database has committed since it was made."""


CHARGES = """
SELECT count(*) FILTER (WHERE kind = 'CHARGE'),
    coalesce(sum(amount), 0) = (SELECT coalesce(sum(balance), 0) FROM wallets)
FROM balance_entries
"""
ISSUES = """
SELECT count(*), count(*) = coalesce(max(c.issued), 0) AND count(DISTINCT u.number) = count(*)
    AND coalesce(max(u.number), 0) = count(*) AND count(DISTINCT u.user_id) = count(*)
FROM user_coupons u JOIN coupons c USING (coupon_id) WHERE c.coupon_code = $1
"""
# An order that is paid is two commands done. Pieces and money have gone where paid orders say.
ORDERS = f"""
SELECT (SELECT count(*) + count(*) FILTER (WHERE status = 'PAID') FROM orders),
    (SELECT coalesce(sum({STOCK} - stock), 0) FROM products) =
    (SELECT coalesce(sum(quantity), 0) FROM order_lines JOIN orders USING (order_id)
        WHERE status = 'PAID')
    AND (SELECT coalesce(sum(-amount), 0) FROM balance_entries WHERE kind = 'PAYMENT') =
    (SELECT coalesce(sum(payable_amount), 0) FROM orders WHERE status = 'PAID')
"""
TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
WORK_TO_COUNTS = {
    "charge": ("charges",),
    "coupon": ("issues",),
    "orders": ("charges", "orders"),
    "mixed": ("charges", "issues"),
}
"""What of a database each work moves. Money is looked at with the orders too."""


@dataclass(frozen=True)
class Ledger:
    """Where a side's work is counted, and its figures held against each other."""

    database_url: str

    async def applied(self, work: str, code: str) -> Applied:
        """Count what has been committed."""
        connection = await asyncpg.connect(self.database_url)
        try:
            found = [await _count(connection, what, code) for what in WORK_TO_COUNTS[work]]
            transactions = await connection.fetchval(TRANSACTIONS)
        finally:
            await connection.close()
        agrees = all(each.agrees for each in found)
        return Applied(sum(each.count for each in found), agrees, int(transactions))


async def _count(connection: asyncpg.Connection, what: str, code: str) -> Applied:
    if what == "issues":
        row = await connection.fetchrow(ISSUES, code)
    else:
        row = await connection.fetchrow(CHARGES if what == "charges" else ORDERS)
    return Applied(int(row[0]), bool(row[1]))
