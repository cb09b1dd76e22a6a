"""A small model of the shop, written against the specification and not against the code.

It knows plain dicts of JSON as a producer sends them, and predicts every reply.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

JsonObject = dict[str, Any]
STOCK_MAX = 10**12


class Reply(NamedTuple):
    """What becomes of a record: its disposition, the status, and members the body must have."""

    disposition: str
    status: int
    members: JsonObject


def refused(status: int, code: str) -> Reply:
    return Reply("REFUSED", status, {"code": code})


def applied(**members: Any) -> Reply:
    return Reply("APPLIED", 200, members)


DEAD = Reply("DEAD", 400, {"code": "DEAD_LETTER"})
CONFLICT = Reply("CONFLICT", 422, {"code": "IDEMPOTENCY_KEY_REUSED"})


def _epoch_ms(text: str | None, default: int) -> int:
    return default if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


class Model:
    """The whole shop in a few dicts."""

    def __init__(self, balance_max: int, expiry_ms: int) -> None:
        self.balance_max = balance_max
        self.expiry_ms = expiry_ms
        self.balances: dict[int, int] = {}
        self.products: dict[int, JsonObject] = {}
        self.coupons: dict[str, JsonObject] = {}
        self.copies: dict[tuple[int, str], JsonObject] = {}
        self.orders: dict[str, JsonObject] = {}
        self.firsts: dict[tuple[str, str], tuple[str, Reply]] = {}
        self.moved: Counter[tuple[int, str]] = Counter()
        self.sold: Counter[tuple[int, int]] = Counter()

    def reply(self, envelope: JsonObject | None, now_ms: int) -> Reply:
        """Predict the reply to a record; None stands for one that is no command."""
        if envelope is None:
            return DEAD
        said = envelope["payload"]
        # A credit is an admin's, and who is not named is the operator.
        user = None if envelope["type"] == "CreditBalance" else said.get("userId")
        who = envelope.get("principal") or str(user or "operator")
        content = envelope["type"] + json.dumps(said, sort_keys=True)
        key = (who, envelope["commandId"])
        if key in self.firsts:
            first, reply = self.firsts[key]
            return reply._replace(disposition="REPEATED") if first == content else CONFLICT
        reply = HANDLERS[envelope["type"]](self, envelope["commandId"], said, now_ms)
        self.firsts[key] = (content, reply)
        return reply

    def facts(self) -> JsonObject:
        """All that the system of record should hold now."""
        return {
            "balances": self.balances,
            "products": {p: (it["price"], it["stock"]) for p, it in self.products.items()},
            "coupons": {
                c: (it["id"], it["issued"], it["total"]) for c, it in self.coupons.items()
            },
            "copies": {key: (it["number"], it["order"]) for key, it in self.copies.items()},
            "orders": {
                o: (it["user"], it["payable"], it["status"], it["paid_at"])
                for o, it in self.orders.items()
            },
            "moved": self.moved,
            "sold": {hour: pieces for hour, pieces in self.sold.items() if pieces},
        }

    def charge(self, _id: str, said: JsonObject, _now: int) -> Reply:
        user, amount = said["userId"], said["amount"]
        if self.balances.get(user, 0) + amount > self.balance_max:
            return refused(400, "BALANCE_LIMIT_EXCEEDED")
        self._move(user, "CHARGE", amount)
        return applied(userId=user, chargedAmount=amount, balance=self.balances[user])

    def credit(self, _id: str, said: JsonObject, _now: int) -> Reply:
        user, amount = said["userId"], said["amount"]
        if self.balances.get(user, 0) + amount > self.balance_max:
            return refused(400, "BALANCE_LIMIT_EXCEEDED")
        self._move(user, "CREDIT", amount)
        return applied(userId=user, creditedAmount=amount, balance=self.balances[user])

    def pause(self, _id: str, said: JsonObject, _now: int) -> Reply:
        offer = self.coupons.get(said["couponCode"])
        if offer is None:
            return refused(404, "COUPON_NOT_FOUND")
        offer["paused"] = said["paused"]
        return applied(couponCode=said["couponCode"], paused=said["paused"])

    def issue(self, new_id: str, said: JsonObject, now: int) -> Reply:
        offer = self.coupons.get(said["couponCode"])
        if offer is None:
            return refused(404, "COUPON_NOT_FOUND")
        if not offer["from"] <= now < offer["until"]:
            return refused(409, "COUPON_NOT_VALID_NOW")
        if offer.get("paused"):
            return refused(409, "COUPON_PAUSED")
        if (said["userId"], offer["id"]) in self.copies:
            return refused(409, "COUPON_ALREADY_ISSUED")
        if offer["issued"] >= offer["total"]:
            return refused(409, "COUPON_SOLD_OUT")
        offer["issued"] += 1
        copy = {"number": offer["issued"], "off": offer["off"], "order": None}
        self.copies[said["userId"], offer["id"]] = copy
        return applied(userCouponId=new_id, couponId=offer["id"], number=copy["number"])

    def define_coupon(self, new_id: str, said: JsonObject, _now: int) -> Reply:
        known = self.coupons.get(said["couponCode"], {"id": new_id, "issued": 0})
        if said["total"] < known["issued"]:
            return refused(409, "COUPON_TOTAL_BELOW_ISSUED")
        self.coupons[said["couponCode"]] = {
            **known,
            "total": said["total"],
            "off": said["discountAmount"],
            "from": _epoch_ms(said.get("validFrom"), -1),
            "until": _epoch_ms(said.get("validUntil"), 10**18),
        }
        return applied(couponId=known["id"], issued=known["issued"], total=said["total"])

    def define_product(self, _id: str, said: JsonObject, _now: int) -> Reply:
        stock = self.products.get(said["productId"], said)["stock"]
        self.products[said["productId"]] = {"price": said["price"], "stock": stock}
        return applied(productId=said["productId"], price=said["price"], stock=stock)

    def restock(self, _id: str, said: JsonObject, _now: int) -> Reply:
        product = self.products.get(said["productId"])
        if product is None:
            return refused(404, "PRODUCT_NOT_FOUND")
        if product["stock"] + said["quantity"] > STOCK_MAX:
            return refused(409, "STOCK_LIMIT_EXCEEDED")
        product["stock"] += said["quantity"]
        return applied(productId=said["productId"], stock=product["stock"])

    def create_order(self, new_id: str, said: JsonObject, now: int) -> Reply:
        if new_id in self.orders:
            return refused(422, "IDEMPOTENCY_KEY_REUSED")
        wanted: dict[int, int] = {}
        for item in said["items"]:
            wanted[item["productId"]] = wanted.get(item["productId"], 0) + item["quantity"]
        if not wanted.keys() <= self.products.keys():
            return refused(404, "PRODUCT_NOT_FOUND")
        if any(self.products[p]["stock"] < quantity for p, quantity in wanted.items()):
            return refused(409, "OUT_OF_STOCK")
        coupon, off = said.get("couponId"), 0
        if coupon is not None:
            copy = self.copies.get((said["userId"], coupon))
            if copy is None:
                return refused(409, "COUPON_NOT_HELD")
            if copy["order"] is not None:
                return refused(409, "COUPON_ALREADY_USED")
            off = copy["off"]
        total = sum(self.products[p]["price"] * quantity for p, quantity in wanted.items())
        order = {"user": said["userId"], "wanted": wanted, "coupon": coupon, "status": "PENDING"}
        order |= {"payable": max(0, total - off), "until": now + self.expiry_ms, "paid_at": None}
        self.orders[new_id] = order
        return applied(orderId=new_id, totalAmount=total, payableAmount=order["payable"])

    def pay(self, _id: str, said: JsonObject, now: int) -> Reply:
        user, order = said["userId"], self.orders.get(said["orderId"])
        if order is None or order["user"] != user:
            return refused(404, "ORDER_NOT_FOUND")
        if order["status"] != "PENDING" or now >= order["until"]:
            why = {"PAID": "ORDER_ALREADY_PAID", "CANCELLED": "ORDER_CANCELLED"}
            return refused(409, why.get(order["status"], "ORDER_EXPIRED"))
        if self.balances.get(user, 0) < order["payable"]:
            return refused(402, "INSUFFICIENT_BALANCE")
        copy = self.copies.get((user, order["coupon"]), {"order": None})
        if copy["order"] is not None:
            return refused(409, "COUPON_ALREADY_USED")
        if any(self.products[p]["stock"] < n for p, n in order["wanted"].items()):
            return refused(409, "OUT_OF_STOCK")
        order["status"], order["paid_at"], copy["order"] = "PAID", now, said["orderId"]
        self._settle(order, 1)
        balance = self.balances.get(user)
        return applied(orderId=said["orderId"], paidAmount=order["payable"], balance=balance)

    def cancel(self, _id: str, said: JsonObject, now: int) -> Reply:
        user, order = said["userId"], self.orders.get(said["orderId"])
        if order is None or order["user"] != user:
            return refused(404, "ORDER_NOT_FOUND")
        if order["status"] == "CANCELLED":
            return refused(409, "ORDER_ALREADY_CANCELLED")
        if order["status"] == "PENDING" and now >= order["until"]:
            return refused(409, "ORDER_EXPIRED")
        back = 0
        if order["status"] == "PAID":
            back = order["payable"]
            self.copies.get((user, order["coupon"]), {})["order"] = None
            self._settle(order, -1)
        order["status"] = "CANCELLED"
        return applied(
            orderId=said["orderId"], refundedAmount=back, balance=self.balances.get(user)
        )

    def _settle(self, order: JsonObject, sign: int) -> None:
        """Let what an order is worth leave the shop, or come back (-1)."""
        kind = "PAYMENT" if sign > 0 else "REFUND"
        if order["payable"]:
            self._move(order["user"], kind, -sign * order["payable"])
        for product, quantity in order["wanted"].items():
            self.products[product]["stock"] -= sign * quantity
            self.sold[product, order["paid_at"]] += sign * quantity

    def _move(self, user: int, kind: str, amount: int) -> None:
        self.balances[user] = self.balances.get(user, 0) + amount
        self.moved[user, kind] += amount


HANDLERS: dict[str, Callable[[Model, str, JsonObject, int], Reply]] = {
    "ChargeBalance": Model.charge,
    "CreditBalance": Model.credit,
    "IssueCoupon": Model.issue,
    "PauseCoupon": Model.pause,
    "DefineCoupon": Model.define_coupon,
    "DefineProduct": Model.define_product,
    "RestockProduct": Model.restock,
    "CreateOrder": Model.create_order,
    "PayOrder": Model.pay,
    "CancelOrder": Model.cancel,
}
