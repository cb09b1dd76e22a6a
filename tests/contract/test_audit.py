"""An audit of a shop with a past: it holds; and each thing that is done to it is seen."""

import asyncio

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

import storage.audit
from domain.audit import findings as named
from domain.audit.findings import INVARIANTS, Findings, Invariant
from storage.admin_actions import list_admin_actions
from storage.audit import looking
from storage.engine import Database
from storage.retention import list_log_partitions, load_oldest, lock_pruned, prune_rows
from streams.audit.books import load_horizon
from streams.audit.passes import audit
from streams.retention import those_past
from tests.contract.conftest import opened
from tests.history import History, execute

FIRST_PAID = "(SELECT min(order_id) FROM orders WHERE status = 'PAID')"
FIRST_PAY = "(SELECT min(id) FROM command_log WHERE type = 'PayOrder' AND disposition = 'APPLIED')"
FIRST_ISSUE = (
    "(SELECT min(id) FROM command_log WHERE type = 'IssueCoupon' AND disposition = 'APPLIED')"
)
NEWEST = "(SELECT max(id) FROM command_log WHERE disposition = '{}')"
FIRST_ENTRY = "(SELECT min(entry_id) FROM balance_entries)"
SOLD_OUT = """'{"code":"COUPON_SOLD_OUT"}'"""

#    what is violated         what was done
PLANTED = [
    (named.BALANCES, "UPDATE wallets SET balance = balance + 1 WHERE user_id = 1"),
    (named.BALANCES, "DELETE FROM wallets WHERE user_id = 1"),
    (named.BALANCES, "DELETE FROM balance_entries WHERE user_id = 1"),
    (named.BALANCES, "INSERT INTO wallets VALUES (99, 5)"),
    (
        named.RUNNING_BALANCES,
        f"UPDATE balance_entries SET amount = amount + 1 WHERE entry_id = {FIRST_ENTRY}",
    ),
    (named.ENTRIES, f"UPDATE balance_entries SET command_id='?' WHERE entry_id = {FIRST_ENTRY}"),
    (named.ENTRIES, "UPDATE balance_entries SET kind = 'CHARGE' WHERE kind = 'CREDIT'"),
    (named.ENTRIES, f"DELETE FROM balance_entries WHERE entry_id = {FIRST_ENTRY}"),
    (
        named.PAYMENTS,
        "UPDATE balance_entries SET recorded_at_ms = recorded_at_ms + 1 WHERE entry_id ="
        " (SELECT min(entry_id) FROM balance_entries WHERE kind = 'PAYMENT')",
    ),
    (
        named.ORDERS,
        f"UPDATE orders SET total_amount = total_amount + 1 WHERE order_id = {FIRST_PAID}",
    ),
    (named.ORDERS, f"UPDATE orders SET paid_at_ms = expires_at_ms WHERE order_id = {FIRST_PAID}"),
    (
        named.CREATED,
        f"UPDATE order_lines SET unit_price = unit_price + 1 WHERE order_id = {FIRST_PAID}",
    ),
    (
        named.PAID,
        f"UPDATE orders SET status='PENDING', paid_at_ms=NULL WHERE order_id = {FIRST_PAID}",
    ),
    (named.EVENTS, f"UPDATE command_log SET events = NULL WHERE id = {FIRST_PAY}"),
    (
        named.EVENT_IDS,
        f"UPDATE command_log SET events = replace(events, ':1\"', ':0\"') WHERE id = {FIRST_PAY}",
    ),
    (named.STOCK, "UPDATE products SET stock = stock + 1 WHERE product_id = 1"),
    (
        named.COPIES,
        "UPDATE user_coupons SET number = 40 WHERE number = 2 AND coupon_code = 'EVER'",
    ),
    (named.COPIES, "UPDATE coupons SET issued = issued - 1 WHERE coupon_code = 'EVER'"),
    (named.ISSUES, "UPDATE user_coupons SET user_id = 77 WHERE number = 1"),
    (
        named.SPENT,
        "UPDATE user_coupons SET used_at_ms = NULL, order_id = NULL WHERE order_id ="
        " (SELECT min(order_id) FROM user_coupons)",
    ),
    (
        named.FIRST_COME,
        "UPDATE command_log SET disposition = 'REFUSED', status = 409, body ="
        f" {SOLD_OUT} WHERE id = {FIRST_ISSUE}",
    ),
    (
        named.LOG_ORDER,
        "UPDATE partition_marks SET next_offset = next_offset - 1 WHERE next_offset > 0",
    ),
    (
        named.LOG_ORDER,
        f'UPDATE command_log SET "offset" = "offset" + 9000 WHERE id = {FIRST_ISSUE}',
    ),
    (named.LOG_ORDER, f"UPDATE command_log SET accepted_at_ms = 1 WHERE id = {FIRST_PAY} + 200"),
    (named.OUTCOMES, f"UPDATE command_log SET status = 202 WHERE id = {FIRST_PAY}"),
    (named.OUTCOMES, f"UPDATE command_log SET body = '{{}}' WHERE id = {FIRST_PAY}"),
    (
        named.OUTCOMES,
        f"UPDATE command_log SET status = 402 WHERE id = {NEWEST.format('REPEATED')}",
    ),
    (
        named.OUTCOMES,
        "UPDATE command_log SET disposition = 'CONFLICT', status = 422 WHERE id ="
        f" {NEWEST.format('REPEATED')}",
    ),
    (named.CLAIMS, "DELETE FROM command_ids WHERE principal = '1'"),
    (named.CLAIMS, f"DELETE FROM command_log WHERE id = {NEWEST.format('REFUSED')}"),
    (named.DEAD_LETTERS, "DELETE FROM dead_letters"),
    (named.DEAD_LETTERS, f"DELETE FROM command_log WHERE id = {NEWEST.format('DEAD')}"),
]


async def findings_of(database: Database) -> Findings:
    async with looking(database) as connection:
        return (await audit(connection, lambda *_: None)).findings


async def administer(history: History) -> None:
    """Do what only admins may: a credit, and a pause that somebody meets."""
    history.send("CreditBalance", userId=1, amount=30, reason="sorry")
    for paused, user in ((True, 501), (False, 502)):
        history.send("PauseCoupon", couponCode="EVER", paused=paused, reason="a test")
        history.send("IssueCoupon", userId=user, couponCode="EVER")
    await history.apply()


@pytest.fixture(scope="module")
def shop(url: str) -> str:
    """The URL of a shop with a past."""

    async def live() -> None:
        async with opened(url) as database:
            history = History(database)
            await history.begin()
            await history.live(60)
            await administer(history)

    asyncio.run(live())
    return url


async def test_a_shop_that_nobody_touched_is_in_order(shop: str) -> None:
    async with opened(shop) as database:
        findings = await findings_of(database)
    assert [finding for finding in findings.all if finding.violations] == []
    assert [finding.invariant.name for finding in findings.all if not finding.checked] == []


async def test_slices_of_any_size_make_the_same_audit(
    shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(shop) as database, looking(database) as connection:
        whole = await audit(connection, lambda *_: None)
        monkeypatch.setattr(storage.audit, "ROWS_AT_ONCE", 7)
        monkeypatch.setattr(storage.audit, "WALLETS_AT_ONCE", 3)
        sliced = await audit(connection, lambda *_: None)
    assert sliced.rows == whole.rows
    assert sliced.findings.all == whole.findings.all


@pytest.mark.parametrize(("invariant", "statement"), PLANTED)
async def test_what_is_done_to_it_is_seen(shop: str, invariant: Invariant, statement: str) -> None:
    async with opened(shop) as database, database.begin() as connection:
        await execute(connection, statement)
        books = await audit(connection, lambda *_: None)
        await connection.rollback()
    finding = books.findings.of(invariant)
    assert finding.violations >= len(finding.first) > 0, finding


def test_each_invariant_has_something_done_to_it() -> None:
    assert {invariant for invariant, _ in PLANTED} == set(INVARIANTS)


async def prune_half(connection: AsyncConnection) -> None:
    """Take the older half out of the command log, partition by partition."""
    half = "SELECT avg(accepted_at_ms) FROM command_log"
    before_ms = int((await connection.exec_driver_sql(half)).scalar_one())
    for place in await list_log_partitions(connection):
        rows = await load_oldest(connection, place, (0, 10**9), 10**6)
        if old := those_past(rows, before_ms):
            await prune_rows(connection, await lock_pruned(connection, place), old)


async def test_what_is_left_of_a_pruned_log_is_in_order(shop: str) -> None:
    async with opened(shop) as database, database.begin() as connection:
        await prune_half(connection)
        findings = (await audit(connection, lambda *_: None)).findings
        pruned = (await load_horizon(connection)).kept_since_ms
        newest = "(SELECT max(entry_id) FROM balance_entries)"
        await execute(connection, f"UPDATE balance_entries SET kind = '?' WHERE entry_id={newest}")
        changed = (await audit(connection, lambda *_: None)).findings
        await connection.rollback()
    assert [finding for finding in findings.all if finding.violations] == []
    assert pruned > 0
    assert findings.of(named.STOCK).note == "not checked: the command log was pruned"
    assert changed.of(named.ENTRIES).violations == 2


async def test_an_audit_cannot_write(shop: str) -> None:
    async with opened(shop) as database, looking(database) as connection:
        with pytest.raises(DBAPIError):
            await execute(connection, "UPDATE wallets SET balance = 0")
    async with opened(shop) as database, database.begin() as connection:
        await execute(connection, "UPDATE wallets SET balance = balance")
        await connection.rollback()


async def test_admin_commands_leave_a_row_each_with_what_came_of_them(shop: str) -> None:
    async with opened(shop) as database, database.connect() as connection:
        actions = await list_admin_actions(connection, 3)
        older = await list_admin_actions(connection, 1, actions[-1].number)
    told = [(each.principal, each.type, each.status) for each in actions]
    assert sorted(told) == sorted(
        [
            ("operator", "PauseCoupon", 200),
            ("operator", "PauseCoupon", 200),
            ("operator", "CreditBalance", 200),
        ]
    )
    assert [each.number for each in actions] == sorted((a.number for a in actions), reverse=True)
    assert older[0].number < actions[-1].number
