"""A shop in memory that keeps every rule: it decides commands one by one, in the log's order."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

BALANCE_MAX = 250_000
EXPIRY_MS = 3_000


def iso(at_ms: int) -> str:
    """Write a time as the wire has it."""
    seconds, ms = divmod(at_ms, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms:03}000Z"


def problem(status: int, code: str) -> tuple[int, Json]:
    """Refuse."""
    return status, {"type": f"urn:x:{code.lower()}", "status": status, "code": code}


@dataclass
class Shop:
    """The state of everything, in the columns of the database."""

    balances: dict[int, int] = field(default_factory=dict)
    entries: list[Json] = field(default_factory=list)
    moved: Counter[str] = field(default_factory=Counter)
    products: dict[int, Json] = field(default_factory=dict)
    coupons: dict[str, Json] = field(default_factory=dict)
    copies: dict[tuple[int, str], Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    lines: dict[str, list[Json]] = field(default_factory=dict)

    def decide(self, kind: str, command_id: str, payload: Json, at_ms: int) -> tuple[int, Json]:
        """Carry out a command; return status and body."""
        decide = {
            "ChargeBalance": self._charge,
            "CreditBalance": self._credit,
            "PauseCoupon": self._pause,
            "IssueCoupon": self._issue,
            "CreateOrder": self._create,
            "PayOrder": self._pay,
            "CancelOrder": self._cancel,
            "DefineCoupon": self._define_coupon,
            "RestockProduct": self._restock,
        }[kind]
        return decide(command_id, payload, at_ms)

    def _move(self, user_id: int, command_id: str, kind: str, amount: int) -> int:
        balance = self.balances.get(user_id, 0) + amount
        self.balances[user_id] = balance
        self.moved[kind] += amount
        self.entries.append(
            {
                "entry_id": len(self.entries) + 1,
                "user_id": user_id,
                "command_id": command_id,
                "kind": kind,
                "amount": amount,
                "balance_after": balance,
                "recorded_at_ms": 0,
            }
        )
        return balance

    def _charge(self, command_id: str, payload: Json, _: int) -> tuple[int, Json]:
        user_id, amount = payload["userId"], payload["amount"]
        if self.balances.get(user_id, 0) + amount > BALANCE_MAX:
            return problem(400, "BALANCE_LIMIT_EXCEEDED")
        balance = self._move(user_id, command_id, "CHARGE", amount)
        return 200, {"userId": user_id, "chargedAmount": amount, "balance": balance}

    def _credit(self, command_id: str, payload: Json, _: int) -> tuple[int, Json]:
        user_id, amount = payload["userId"], payload["amount"]
        if self.balances.get(user_id, 0) + amount > BALANCE_MAX:
            return problem(400, "BALANCE_LIMIT_EXCEEDED")
        balance = self._move(user_id, command_id, "CREDIT", amount)
        return 200, {"userId": user_id, "creditedAmount": amount, "balance": balance}

    def _pause(self, _: str, payload: Json, __: int) -> tuple[int, Json]:
        coupon = self.coupons.get(payload["couponCode"])
        if coupon is None:
            return problem(404, "COUPON_NOT_FOUND")
        coupon["paused"] = payload["paused"]
        return 200, {"couponCode": payload["couponCode"], "paused": payload["paused"]}

    def _define_coupon(self, command_id: str, payload: Json, _: int) -> tuple[int, Json]:
        code = payload["couponCode"]
        made = {"coupon_id": command_id, "coupon_code": code, "issued": 0}
        coupon = self.coupons.setdefault(code, made)
        if payload["total"] < coupon["issued"]:
            return problem(409, "COUPON_TOTAL_BELOW_ISSUED")
        coupon |= {"total": payload["total"], "discount_amount": payload["discountAmount"]}
        return 200, {"couponCode": code, "total": coupon["total"], "issued": coupon["issued"]}

    def _issue(self, command_id: str, payload: Json, at_ms: int) -> tuple[int, Json]:
        user_id, coupon = payload["userId"], self.coupons.get(payload["couponCode"])
        if coupon is None:
            return problem(404, "COUPON_NOT_FOUND")
        if coupon.get("paused"):
            return problem(409, "COUPON_PAUSED")
        if (user_id, coupon["coupon_id"]) in self.copies:
            return problem(409, "COUPON_ALREADY_ISSUED")
        if coupon["issued"] >= coupon["total"]:
            return problem(409, "COUPON_SOLD_OUT")
        coupon["issued"] += 1
        copy = {
            "user_id": user_id,
            "coupon_id": coupon["coupon_id"],
            "user_coupon_id": command_id,
            "coupon_code": coupon["coupon_code"],
            "number": coupon["issued"],
            "discount_amount": coupon["discount_amount"],
            "issued_at_ms": at_ms,
            "used_at_ms": None,
            "order_id": None,
        }
        self.copies[user_id, coupon["coupon_id"]] = copy
        body = {"userCouponId": command_id, "userId": user_id, "couponId": copy["coupon_id"]}
        return 200, {**body, "couponCode": copy["coupon_code"], "number": copy["number"]}

    def _restock(self, _: str, payload: Json, __: int) -> tuple[int, Json]:
        product = self.products[payload["productId"]]
        product["stock"] += payload["quantity"]
        return 200, {"productId": product["product_id"], "stock": product["stock"]}

    def _create(self, command_id: str, payload: Json, at_ms: int) -> tuple[int, Json]:
        products = [self.products[item["productId"]] for item in payload["items"]]
        if any(
            p["stock"] < i["quantity"] for p, i in zip(products, payload["items"], strict=True)
        ):
            return problem(409, "OUT_OF_STOCK")
        copy = self.copies.get((payload["userId"], payload.get("couponId") or ""))
        if copy is None and payload.get("couponId"):
            return problem(409, "COUPON_NOT_HELD")
        if copy is not None and copy["order_id"]:
            return problem(409, "COUPON_ALREADY_USED")
        lines = [
            {
                "order_id": command_id,
                "product_id": product["product_id"],
                "position": position,
                "unit_price": product["price"],
                "quantity": item["quantity"],
            }
            for position, (product, item) in enumerate(
                zip(products, payload["items"], strict=True)
            )
        ]
        total = sum(line["unit_price"] * line["quantity"] for line in lines)
        discount = min(copy["discount_amount"], total) if copy else 0
        self.lines[command_id] = lines
        order = self._order(command_id, payload, at_ms, (total, discount))
        return 200, {"orderId": command_id, "payableAmount": order["payable_amount"]}

    def _order(self, order_id: str, payload: Json, at_ms: int, amounts: tuple[int, int]) -> Json:
        total, discount = amounts
        self.orders[order_id] = {
            "order_id": order_id,
            "user_id": payload["userId"],
            "status": "PENDING",
            "total_amount": total,
            "discount_amount": discount,
            "payable_amount": total - discount,
            "coupon_id": payload.get("couponId"),
            "created_at_ms": at_ms,
            "expires_at_ms": at_ms + EXPIRY_MS,
            "paid_at_ms": None,
            "cancelled_at_ms": None,
        }
        return self.orders[order_id]

    def _pay(self, command_id: str, payload: Json, at_ms: int) -> tuple[int, Json]:
        order = self.orders.get(payload["orderId"])
        if order is None or order["user_id"] != payload["userId"]:
            return problem(404, "ORDER_NOT_FOUND")
        user_id, payable = order["user_id"], order["payable_amount"]
        refusal = self._why_unpayable(order, at_ms)
        if refusal:
            return problem(402 if refusal == "INSUFFICIENT_BALANCE" else 409, refusal)
        balance = self.balances.get(user_id)
        if payable:
            balance = self._move(user_id, command_id, "PAYMENT", -payable)
        order |= {"status": "PAID", "paid_at_ms": at_ms}
        self._take(order, 1, at_ms)
        return 200, {"orderId": order["order_id"], "paidAmount": payable, "balance": balance}

    def _why_unpayable(self, order: Json, at_ms: int) -> str:
        copy = self.copies.get((order["user_id"], order["coupon_id"] or ""))
        lines = self.lines[order["order_id"]]
        reasons = {
            "ORDER_ALREADY_PAID": order["status"] == "PAID",
            "ORDER_CANCELLED": order["status"] == "CANCELLED",
            "ORDER_EXPIRED": at_ms >= order["expires_at_ms"],
            "INSUFFICIENT_BALANCE": self.balances.get(order["user_id"], 0)
            < order["payable_amount"],
            "COUPON_ALREADY_USED": copy is not None and copy["order_id"] is not None,
            "OUT_OF_STOCK": any(
                self.products[line["product_id"]]["stock"] < line["quantity"] for line in lines
            ),
        }
        return next((code for code, true in reasons.items() if true), "")

    def _cancel(self, command_id: str, payload: Json, at_ms: int) -> tuple[int, Json]:
        order = self.orders.get(payload["orderId"])
        if order is None or order["user_id"] != payload["userId"]:
            return problem(404, "ORDER_NOT_FOUND")
        if order["status"] == "CANCELLED":
            return problem(409, "ORDER_ALREADY_CANCELLED")
        if order["status"] == "PENDING" and at_ms >= order["expires_at_ms"]:
            return problem(409, "ORDER_EXPIRED")
        refunded, balance = 0, self.balances.get(order["user_id"])
        if order["status"] == "PAID":
            refunded = order["payable_amount"]
            if refunded:
                balance = self._move(order["user_id"], command_id, "REFUND", refunded)
            self._take(order, -1, None)
        order |= {"status": "CANCELLED", "cancelled_at_ms": at_ms}
        body = {"orderId": order["order_id"], "refundedAmount": refunded, "balance": balance}
        return 200, body

    def _take(self, order: Json, sign: int, used_at_ms: int | None) -> None:
        for line in self.lines[order["order_id"]]:
            self.products[line["product_id"]]["stock"] -= sign * line["quantity"]
        copy = self.copies.get((order["user_id"], order["coupon_id"] or ""))
        if copy is not None:
            spent_by = order["order_id"] if used_at_ms else None
            copy |= {"used_at_ms": used_at_ms, "order_id": spent_by}
