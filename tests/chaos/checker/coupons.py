"""Rules of coupons: first come, first served, numbered without a gap, one for each user."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .evidence import Evidence
from .files import parsed

_IN_LOG_ORDER = """SELECT partition, offset, type, command_id, payload, status, code, body,
    accepted_at_ms FROM command_log WHERE topic = 'coupon-commands'
    AND disposition IN ('APPLIED', 'REFUSED') ORDER BY partition, offset"""


def no_more_is_issued_than_there_is(evidence: Evidence) -> Iterator[str]:
    """Copies out are as many as the coupon says, and at most its total."""
    found = evidence.rows(
        """SELECT c.coupon_code, c.issued, c.total, count(u.user_id) FROM coupons c
        LEFT JOIN user_coupons u ON u.coupon_id = c.coupon_id GROUP BY c.coupon_id
        HAVING c.issued > c.total OR count(u.user_id) <> c.issued"""
    )
    for code, issued, total, held in found:
        yield f"coupon {code}: {issued} issued of {total}, {held} held"


def nobody_holds_two_copies(evidence: Evidence) -> Iterator[str]:
    """One copy of a coupon for each user."""
    found = evidence.rows(
        """SELECT coupon_code, user_id, count(*) FROM user_coupons
        GROUP BY coupon_code, user_id HAVING count(*) > 1"""
    )
    for code, user_id, held in found:
        yield f"user {user_id} holds {held} copies of coupon {code}"


def numbers_have_no_gap(evidence: Evidence) -> Iterator[str]:
    """The copies of a coupon are numbered from 1, each number once."""
    found = evidence.rows(
        """SELECT coupon_code, count(*), count(DISTINCT number), min(number), max(number)
        FROM user_coupons GROUP BY coupon_code
        HAVING min(number) <> 1 OR max(number) <> count(*) OR count(DISTINCT number) <> count(*)"""
    )
    for code, copies, numbers, first, last in found:
        yield f"coupon {code}: {copies} copies have {numbers} numbers from {first} to {last}"


def numbers_follow_the_log(evidence: Evidence) -> Iterator[str]:
    """Who stands earlier in the log has the lower number."""
    found = evidence.rows(
        """SELECT code, number, before, command_id FROM (
            SELECT u.coupon_code AS code, u.number AS number, l.command_id AS command_id,
                lag(u.number, 1, 0) OVER (PARTITION BY u.coupon_code ORDER BY l.offset) AS before
            FROM user_coupons u JOIN command_log l ON l.command_id = u.user_coupon_id
                AND l.disposition = 'APPLIED' AND l.topic = 'coupon-commands')
        WHERE number < before"""
    )
    for code, number, before, command_id in found:
        yield f"coupon {code}: {command_id} has number {number}, after {before}"


def every_copy_has_its_command(evidence: Evidence) -> Iterator[str]:
    """A user holds what an applied command was told, and only that."""
    found = evidence.rows(
        """SELECT id, copy, told, number FROM (
            SELECT l.command_id AS id, u.user_id AS copy,
                json_extract(l.body, '$.number') AS told, u.number AS number
            FROM command_log l LEFT JOIN user_coupons u ON u.user_coupon_id = l.command_id
                AND u.user_id = json_extract(l.payload, '$.userId')
                AND u.coupon_code = json_extract(l.payload, '$.couponCode')
            WHERE l.disposition = 'APPLIED' AND l.type = 'IssueCoupon'
            UNION ALL SELECT u.user_coupon_id, u.user_id, NULL, u.number FROM user_coupons u
            WHERE NOT EXISTS (SELECT 1 FROM command_log l WHERE l.command_id = u.user_coupon_id
                AND l.disposition = 'APPLIED' AND l.type = 'IssueCoupon'))
        WHERE told IS NOT number"""
    )
    for command_id, user_id, told, number in found:
        holder = "nobody" if user_id is None else f"user {user_id}"
        yield f"issue {command_id} told number {told}; {holder} holds number {number}"


def first_come_first_served(evidence: Evidence) -> Iterator[str]:
    """Between changes of its quantity nobody is served after another was told "sold out"."""
    sold_out: dict[str, Any] = {}
    for partition, offset, kind, command_id, payload, *outcome in evidence.rows(_IN_LOG_ORDER):
        coupon_code = parsed(payload)["couponCode"]
        place = f"[{partition}]@{offset}"
        status, code = outcome[:2]
        if kind == "DefineCoupon" and status == 200:
            sold_out.pop(coupon_code, None)
        elif code == "COUPON_SOLD_OUT":
            sold_out.setdefault(coupon_code, place)
        elif kind == "IssueCoupon" and status == 200 and coupon_code in sold_out:
            earlier = sold_out[coupon_code]
            yield f"coupon {coupon_code}: {command_id} at {place} is served, {earlier} was not"


@dataclass(slots=True)
class _Coupon:
    total: int
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    holders: set[int] = field(default_factory=set)
    paused: bool = False


class _Counter:
    """Serves a coupon's line again, from the log alone."""

    def __init__(self, code_to_total: dict[str, int]) -> None:
        self._coupons = {code: _Coupon(total) for code, total in code_to_total.items()}

    def serve(self, kind: str, payload: dict[str, Any], now_ms: int) -> str:
        """Return the code that is right, or OK with the number."""
        code = payload["couponCode"]
        held = self._coupons.get(code)
        if kind == "DefineCoupon":
            return self._define(code, payload, held)
        if held is None:
            return "COUPON_NOT_FOUND"
        if kind == "PauseCoupon":
            held.paused = payload.get("paused", True)
            return "OK None"
        return self._issue(held, payload["userId"], now_ms)

    def _issue(self, held: _Coupon, user_id: int, now_ms: int) -> str:
        # A coupon is valid from its first millisecond on, and no longer at its last.
        if now_ms < (held.valid_from_ms or 0) or now_ms >= (held.valid_until_ms or now_ms + 1):
            return "COUPON_NOT_VALID_NOW"
        if held.paused:
            return "COUPON_PAUSED"
        if user_id in held.holders:
            return "COUPON_ALREADY_ISSUED"
        if len(held.holders) >= held.total:
            return "COUPON_SOLD_OUT"
        held.holders.add(user_id)
        return f"OK {len(held.holders)}"

    def _define(self, code: str, payload: dict[str, Any], held: _Coupon | None) -> str:
        holders = held.holders if held else set()
        if payload["total"] < len(holders):
            return "COUPON_TOTAL_BELOW_ISSUED"
        bounds = payload.get("validFrom"), payload.get("validUntil")
        paused = held is not None and held.paused
        self._coupons[code] = _Coupon(payload["total"], *bounds, holders, paused)
        return f"OK {len(holders)}"


def coupon_commands_come_out_as_the_log_says(evidence: Evidence) -> Iterator[str]:
    """A coupon's line is served again from the log: every outcome follows from those before."""
    counter = _Counter(evidence.run.coupon_code_to_total)
    for partition, offset, kind, _, payload, status, code, body, now_ms in evidence.rows(
        _IN_LOG_ORDER
    ):
        expected = counter.serve(kind, parsed(payload), now_ms)
        said = parsed(body)
        number = said.get("number", said.get("issued"))
        outcome = f"OK {number}" if status == 200 else code
        if outcome != expected:
            yield f"{kind} at [{partition}]@{offset} came out as {outcome}, not {expected}"


def copies_are_spent_once(evidence: Evidence) -> Iterator[str]:
    """A copy is spent by the one paid order that names it, and only by it."""
    found = evidence.rows(
        """SELECT u.coupon_code, u.user_id, u.order_id, u.used_at_ms, count(o.order_id),
            min(o.order_id)
        FROM user_coupons u LEFT JOIN orders o ON o.user_id = u.user_id
            AND o.coupon_id = u.coupon_id AND o.status = 'PAID'
        GROUP BY u.user_id, u.coupon_id
        HAVING count(o.order_id) > 1 OR min(o.order_id) IS NOT u.order_id
            OR (u.used_at_ms IS NULL) <> (u.order_id IS NULL)"""
    )
    for code, user_id, order_id, used_at_ms, paid, other in found:
        copy = f"the copy of {code} of user {user_id} (order {order_id}, used at {used_at_ms})"
        yield f"{copy} has {paid} paid orders ({other})"


RULES = (
    no_more_is_issued_than_there_is,
    nobody_holds_two_copies,
    numbers_have_no_gap,
    numbers_follow_the_log,
    every_copy_has_its_command,
    first_come_first_served,
    coupon_commands_come_out_as_the_log_says,
    copies_are_spent_once,
)
