"""Rules of money: from charges and credits it goes into payments, comes back as refunds."""

from collections.abc import Iterator

from .evidence import Evidence

_KIND_TO_TYPE = "CASE kind WHEN 'CHARGE' THEN 'ChargeBalance' WHEN 'PAYMENT' THEN 'PayOrder' "
_KIND_TO_TYPE += "WHEN 'CREDIT' THEN 'CreditBalance' WHEN 'REFUND' THEN 'CancelOrder' END"
_AMOUNT = """CASE WHEN l.type IN ('ChargeBalance', 'CreditBalance')
        THEN json_extract(l.payload, '$.amount')
    WHEN l.type = 'PayOrder' THEN -json_extract(l.body, '$.paidAmount')
    WHEN l.type = 'CancelOrder' THEN json_extract(l.body, '$.refundedAmount') END"""
_USER = "json_extract(l.payload, '$.userId')"


def balances_are_the_sums_of_entries(evidence: Evidence) -> Iterator[str]:
    """Per user: charges + credits - payments + refunds = balance."""
    found = evidence.rows(
        """SELECT user_id, sum(balance), sum(moved) FROM (
            SELECT user_id, balance, 0 AS moved FROM wallets
            UNION ALL SELECT user_id, 0, amount FROM balance_entries)
        GROUP BY user_id HAVING sum(balance) <> sum(moved)"""
    )
    for user_id, balance, moved in found:
        yield f"user {user_id} has {balance} won, and entries of {moved}"


def every_snapshot_adds_up(evidence: Evidence) -> Iterator[str]:
    """At any moment of the run the balances were the sum of what had moved."""
    found = evidence.rows(
        "SELECT at_ms, wallet_sum, entry_sum FROM snapshots WHERE wallet_sum <> entry_sum"
    )
    for at_ms, wallets, entries in found:
        yield f"at {at_ms} wallets held {wallets} won, and entries {entries}"


def entries_add_up_in_order(evidence: Evidence) -> Iterator[str]:
    """Each entry of a user begins where the one before it ended, and none ends below zero."""
    found = evidence.rows(
        """SELECT * FROM (SELECT user_id, entry_id, amount, balance_after,
            lag(balance_after, 1, 0) OVER (PARTITION BY user_id ORDER BY entry_id) AS before
            FROM balance_entries)
        WHERE before + amount <> balance_after OR balance_after < 0"""
    )
    for user_id, entry_id, amount, after, before in found:
        yield f"entry {entry_id} of user {user_id}: {before} and {amount} make {after}"


def entries_follow_the_log(evidence: Evidence) -> Iterator[str]:
    """A user's entries have the order that their commands have in the log."""
    found = evidence.rows(
        """SELECT user_id, entry_id, offset, before FROM (
            SELECT e.user_id, e.entry_id, l.offset, lag(l.offset)
                OVER (PARTITION BY e.user_id ORDER BY e.entry_id) AS before
            FROM balance_entries e JOIN command_log l ON l.command_id = e.command_id
                AND l.disposition = 'APPLIED' AND l.topic = 'user-commands')
        WHERE offset < before"""
    )
    for user_id, entry_id, offset, before in found:
        yield f"entry {entry_id} of user {user_id} is of offset {offset}, after {before}"


def every_entry_has_its_command(evidence: Evidence) -> Iterator[str]:
    """No money moves but by an applied command of the same user, and of that amount."""
    found = evidence.rows(
        f"""SELECT e.entry_id, e.user_id, e.kind, e.amount, e.command_id, l.id,
            {_AMOUNT}, json_extract(l.body, '$.balance'), e.balance_after
        FROM balance_entries e LEFT JOIN command_log l ON l.command_id = e.command_id
            AND l.disposition = 'APPLIED' AND l.type = {_KIND_TO_TYPE} AND {_USER} = e.user_id
        WHERE l.id IS NULL OR {_AMOUNT} IS NOT e.amount
            OR json_extract(l.body, '$.balance') IS NOT e.balance_after"""
    )
    for entry_id, user_id, kind, amount, command_id, row, told, balance, after in found:
        command = "has none" if row is None else f"told {told}, balance {balance}"
        entry = f"entry {entry_id} of user {user_id} ({kind} {amount}, balance {after})"
        yield f"{entry}: its command {command_id} {command}"


def every_applied_command_moved_its_money(evidence: Evidence) -> Iterator[str]:
    """What was told to have moved has one entry, and only one."""
    found = evidence.rows(
        f"""SELECT l.type, l.command_id, {_AMOUNT}, count(e.entry_id)
        FROM command_log l LEFT JOIN balance_entries e
            ON e.command_id = l.command_id AND e.user_id = {_USER}
        WHERE l.disposition = 'APPLIED' AND {_AMOUNT} IS NOT NULL
        GROUP BY l.id HAVING count(e.entry_id) <> ({_AMOUNT} <> 0)"""
    )
    for kind, command_id, amount, entries in found:
        yield f"{kind} {command_id} of {amount} won has {entries} entries"


def payments_take_what_was_previewed(evidence: Evidence) -> Iterator[str]:
    """A payment takes the order's payable amount, and a cancellation of a paid one returns it."""
    found = evidence.rows(
        f"""SELECT l.type, l.command_id, o.order_id, o.payable_amount, {_AMOUNT}
        FROM command_log l JOIN orders o ON o.order_id = json_extract(l.payload, '$.orderId')
        WHERE l.disposition = 'APPLIED' AND abs({_AMOUNT}) <>
            iif(l.type = 'CancelOrder' AND o.paid_at_ms IS NULL, 0, o.payable_amount)"""
    )
    for kind, command_id, order_id, payable, amount in found:
        yield f"{kind} {command_id} moved {amount} won for order {order_id} of {payable}"


RULES = (
    balances_are_the_sums_of_entries,
    every_snapshot_adds_up,
    entries_add_up_in_order,
    entries_follow_the_log,
    every_entry_has_its_command,
    every_applied_command_moved_its_money,
    payments_take_what_was_previewed,
)
