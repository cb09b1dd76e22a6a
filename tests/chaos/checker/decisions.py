"""The commands of each user, decided again from the log, as far as the log alone determines them.

A user's commands stand in one partition, so balance, orders and spent copies follow from those
before. Stock and the issue of coupons come from other topics: what depends on them may be either.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .evidence import Evidence
from .files import Line, parsed

_IN_LOG_ORDER = """SELECT l.partition, l.offset, l.type, l.command_id, l.payload, l.status,
    l.code, l.body, l.accepted_at_ms, o.payable_amount, o.coupon_id, o.expires_at_ms
    FROM command_log l LEFT JOIN orders o ON o.order_id
        = iif(l.type = 'CreateOrder', l.command_id, json_extract(l.payload, '$.orderId'))
    WHERE l.topic = 'user-commands' AND l.disposition IN ('APPLIED', 'REFUSED')
    ORDER BY l.partition, l.offset"""

OK = "OK"
_STOCK = "OUT_OF_STOCK"
_ELSEWHERE = {OK, _STOCK, "PRODUCT_NOT_FOUND"}
"""What a creation may come out as by what other topics hold."""


@dataclass(frozen=True, slots=True)
class _Command:
    command_id: str
    payload: Line
    body: Line
    outcome: str
    now_ms: int
    payable_amount: int | None
    coupon_id: str | None
    expires_at_ms: int | None

    @property
    def user_id(self) -> int:
        return int(self.payload["userId"])

    @property
    def order_id(self) -> str:
        return str(self.payload.get("orderId", self.command_id))


@dataclass(slots=True)
class _Users:
    """What the log has made of all users so far."""

    balance_max: int
    balances: dict[int, int] = field(default_factory=dict)
    orders: dict[str, tuple[int, str]] = field(default_factory=dict)
    spent: set[tuple[int, str]] = field(default_factory=set)

    def charge(self, command: _Command) -> set[str]:
        balance = self.balances.get(command.user_id, 0) + command.payload["amount"]
        if balance > self.balance_max:
            return {"BALANCE_LIMIT_EXCEEDED"}
        self.balances[command.user_id] = balance
        return {OK}

    def create(self, command: _Command) -> set[str]:
        if command.order_id in self.orders:
            return {"IDEMPOTENCY_KEY_REUSED"}
        if command.outcome == OK:
            self.orders[command.order_id] = (command.user_id, "PENDING")
        coupon_id = command.payload.get("couponId")
        if coupon_id is None:
            return _ELSEWHERE
        if (command.user_id, coupon_id) in self.spent:
            return {*_ELSEWHERE, "COUPON_ALREADY_USED"} - {OK}
        return {*_ELSEWHERE, "COUPON_NOT_HELD"}

    def pay(self, command: _Command) -> set[str]:
        user_id, copy = command.user_id, (command.user_id, command.coupon_id or "")
        status = self._status(command)
        balance, payable = self.balances.get(user_id, 0), command.payable_amount or 0
        if status != "PENDING":
            return {status}
        if balance < payable:
            return {"INSUFFICIENT_BALANCE"}
        if copy in self.spent:
            return {"COUPON_ALREADY_USED"}
        if command.outcome == OK:
            self._move(command, "PAID", -payable)
            self.spent |= {copy} if command.coupon_id else set()
        return {OK, _STOCK}

    def cancel(self, command: _Command) -> set[str]:
        status = self._status(command)
        if status == "ORDER_CANCELLED":
            return {"ORDER_ALREADY_CANCELLED"}
        if status not in ("PENDING", "ORDER_ALREADY_PAID"):
            return {status}
        paid = status == "ORDER_ALREADY_PAID"
        self._move(command, "CANCELLED", command.payable_amount or 0 if paid else 0)
        if paid:
            self.spent.discard((command.user_id, command.coupon_id or ""))
        return {OK}

    def _status(self, command: _Command) -> str:
        """Return PENDING, or the refusal that the order's state is to a payment."""
        owner, status = self.orders.get(command.order_id, (None, ""))
        if owner != command.user_id:
            return "ORDER_NOT_FOUND"
        if status == "PENDING" and command.now_ms >= (command.expires_at_ms or 0):
            return "ORDER_EXPIRED"
        return {"PAID": "ORDER_ALREADY_PAID", "CANCELLED": "ORDER_CANCELLED"}.get(status, status)

    def _move(self, command: _Command, status: str, amount: int) -> None:
        self.orders[command.order_id] = (command.user_id, status)
        if amount:
            self.balances[command.user_id] = self.balances.get(command.user_id, 0) + amount


def user_commands_come_out_as_the_log_says(evidence: Evidence) -> Iterator[str]:
    """Every outcome is one that follows from the user's commands before it, with its balance."""
    users = _Users(evidence.run.balance_max)
    decide: dict[str, Callable[[_Command], set[str]]] = {
        "ChargeBalance": users.charge,
        "CreditBalance": users.charge,
        "CreateOrder": users.create,
        "PayOrder": users.pay,
        "CancelOrder": users.cancel,
    }
    for partition, offset, kind, *said in evidence.rows(_IN_LOG_ORDER):
        command_id, payload, status, code, body, now_ms, *order = said
        outcome = OK if status == 200 else code
        command = _Command(command_id, parsed(payload), parsed(body), outcome, now_ms, *order)
        possible = decide[kind](command)
        place = f"{kind} at [{partition}]@{offset}"
        if outcome not in possible:
            yield f"{place} came out as {outcome}, not {' or '.join(sorted(possible))}"
        elif command.body.get("balance") not in (None, users.balances.get(command.user_id, 0)):
            held = users.balances.get(command.user_id, 0)
            yield f"{place} told balance {command.body['balance']}, not {held}"


RULES = (user_commands_come_out_as_the_log_says,)
