"""Clients of a run that never was: retries, refusals at the door, silence, poison, questions."""

import base64
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.chaos.sample.log import PREFIX, Files, Log
from tests.chaos.sample.shop import BALANCE_MAX, Json, iso

HOUR_MS = 3_600_000
PRODUCTS, COUPONS, USERS = range(1, 9), ("SPRING", "NOON"), range(1, 41)
STOCK, TOTAL, PRICE = 40, 12, 700
STEP_MS = 40
EVERY_SNAPSHOT = 50


def write_sample(folder: Path, attempts: int = 3_200, seed: int = 1) -> None:
    """Write the evidence of so many attempts, about; consistent in everything."""
    chance = random.Random(seed)
    with Files(folder) as files:
        run = _Run(files, chance)
        run.begin()
        for _ in range(attempts):
            run.step()
        run.end()
        run.write_tables()
    run.write_objects(folder, seed)


class _Run:
    def __init__(self, files: Files, chance: random.Random) -> None:
        self._files = files
        self._chance = chance
        self._log = Log(files, chance)
        self._number = 0
        self._orders: list[tuple[int, str]] = []
        self._sent: list[Json] = []
        self._started_ms = 0
        often = [self._over_http] * 14 + [self._direct] * 8
        self._ways = [*often, self._unheard, self._refused, self._at_the_door]

    def begin(self) -> None:
        """Set up products and coupons; the coupons by the log."""
        shop = self._log.shop
        for product_id in PRODUCTS:
            named = {"product_id": product_id, "name": f"p{product_id}", "price": PRICE}
            shop.products[product_id] = {**named, "stock": STOCK}
        self._started_ms = self._log.now_ms = self._log.now_ms + 1_000
        for code in COUPONS:
            payload = {"couponCode": code, "total": TOTAL, "discountAmount": 500}
            self._direct("DefineCoupon", payload)

    def step(self) -> None:
        """Do one thing that clients do."""
        self._log.now_ms += self._chance.randrange(1, STEP_MS)
        draw = self._chance.random()
        if draw < 0.05:
            self._poison()
        elif draw < 0.35 and self._sent:
            self._again(self._chance.choice(self._sent[-200:]))
        else:
            kind, payload = self._new()
            self._chance.choice(self._ways)(kind, payload)
        if self._number % EVERY_SNAPSHOT == 0:
            self._snapshot()
        if draw > 0.97:
            self._log.come_again()
            self._log.skip_offsets("user-commands")

    def end(self) -> None:
        """Ask for outcomes once more."""
        for attempt in self._sent[-200:]:
            self._ask(attempt)
        self._snapshot()

    def _new(self) -> tuple[str, Json]:
        chance, user_id = self._chance, self._chance.choice(USERS)
        draw = chance.random()
        if draw < 0.35:
            money = {"userId": user_id, "amount": chance.randrange(1, 40_000)}
            is_credit = draw < 0.03
            return (
                ("CreditBalance", money | {"reason": "sorry"})
                if is_credit
                else (
                    "ChargeBalance",
                    money,
                )
            )
        if draw < 0.5:
            return "IssueCoupon", {"userId": user_id, "couponCode": chance.choice(COUPONS)}
        if draw < 0.52:
            quantity = chance.randrange(1, 30)
            return "RestockProduct", {"productId": chance.choice(PRODUCTS), "quantity": quantity}
        if draw < 0.53:
            total = chance.randrange(10, 20)
            terms = {"couponCode": "NOON", "total": total, "discountAmount": 300}
            pause = {"couponCode": "NOON", "reason": "test", "paused": draw < 0.521}
            return ("PauseCoupon", pause) if draw < 0.524 else ("DefineCoupon", terms)
        if draw < 0.75 or not self._orders:
            return "CreateOrder", self._basket(user_id)
        user_id, order_id = chance.choice(self._orders[-12:])
        if draw > 0.99:
            user_id += 1
        kind = "PayOrder" if draw < 0.92 else "CancelOrder"
        return kind, {"userId": user_id, "orderId": order_id}

    def _basket(self, user_id: int) -> Json:
        chosen = self._chance.sample(PRODUCTS, self._chance.randrange(1, 4))
        items = [{"productId": each, "quantity": self._chance.randrange(1, 4)} for each in chosen]
        held = [each for each in self._log.shop.copies if each[0] == user_id]
        coupon = self._chance.choice(held)[1] if held and self._chance.random() < 0.7 else None
        return {"userId": user_id, "items": items, "couponId": coupon}

    def _line(self, kind: str, payload: Json, **said: Any) -> Json:
        self._number += 1
        line = {
            "number": self._number,
            "client": "c1",
            "channel": "http",
            "type": kind,
            "commandId": None,
            "idempotencyKey": None,
            "retryOf": None,
            "payload": payload,
            "sentAtMs": self._log.now_ms,
            "doneAtMs": self._log.now_ms + 5 + self._number % 90,
            "ack": "acknowledged",
            "status": None,
            "body": None,
            "place": None,
            **said,
        }
        self._files.add("history", line)
        return line

    def _apply(self, kind: str, command_id: str, payload: Json) -> tuple[Json, int, Json]:
        sent = self._log.send(kind, command_id, payload)
        if kind == "CreateOrder" and sent[1] == 200:
            self._orders.append((payload["userId"], command_id))
        return sent

    def _over_http(self, kind: str, payload: Json, **said: Any) -> None:
        command_id = said.get("commandId") or self._log.new_id()
        _, status, body = self._apply(kind, command_id, payload)
        said.setdefault("idempotencyKey", f"key {command_id}")
        said["commandId"] = command_id
        if self._number % 9 == 0:
            late = {"status": 202, "body": {"commandId": command_id, "state": "PENDING"}}
            attempt = self._line(kind, payload, **said, **late)
        else:
            attempt = self._line(kind, payload, **said, status=status, body=body)
        self._sent.append(attempt)

    def _direct(self, kind: str, payload: Json, **said: Any) -> None:
        command_id = said.pop("commandId", None) or self._log.new_id()
        said.pop("idempotencyKey", None)
        place, _, _ = self._apply(kind, command_id, payload)
        named = {"commandId": command_id, "place": place, "channel": "kafka"}
        self._sent.append(self._line(kind, payload, **named, **said))

    def _unheard(self, kind: str, payload: Json) -> None:
        """A connection breaks; half of these commands were written."""
        command_id = self._log.new_id()
        if self._chance.random() < 0.5:
            self._apply(kind, command_id, payload)
        key = f"key {command_id}" if self._chance.random() < 0.7 else None
        silent = {"ack": "unknown", "doneAtMs": None, "idempotencyKey": key}
        attempt = self._line(kind, payload, **silent)
        if key and self._chance.random() < 0.6:
            self._over_http(
                kind, payload, commandId=command_id, idempotencyKey=key, retryOf=attempt["number"]
            )

    def _at_the_door(self, kind: str, payload: Json) -> None:
        """Told "sold out" without the log, where it is so."""
        coupon = self._log.shop.coupons.get(payload.get("couponCode", ""))
        if kind == "IssueCoupon" and coupon and coupon["issued"] >= coupon["total"]:
            body = {"status": 409, "code": "COUPON_SOLD_OUT"}
            self._line(kind, payload, ack="refused", status=409, body=body)

    def _refused(self, kind: str, payload: Json) -> None:
        body = {"status": 429, "code": "TOO_MANY_WAITING"}
        if self._number % 2:
            body = {"status": 503, "code": "UNAVAILABLE"}
        key = f"key {self._log.new_id()}"
        told = {"status": body["status"], "body": body, "idempotencyKey": key}
        attempt = self._line(kind, payload, ack="refused", **told)
        if self._number % 3 == 0:
            self._over_http(kind, payload, idempotencyKey=key, retryOf=attempt["number"])

    def _again(self, first: Json) -> None:
        payload = first["payload"]
        if "amount" in payload and self._number % 7 == 0:
            payload = {**payload, "amount": payload["amount"] + 1}
        send = self._over_http if first["channel"] == "http" else self._direct
        same = {name: first[name] for name in ("commandId", "idempotencyKey")}
        send(first["type"], payload, **same, retryOf=first["number"])
        if self._number % 2:
            self._ask(first)

    def _ask(self, attempt: Json) -> None:
        command_id = attempt["commandId"]
        _, _, status, told = self._log.known(command_id)
        body = {"commandId": command_id, "state": "DONE", "status": status, "body": told}
        asked = {"commandId": command_id, "status": 200, "body": body}
        self._line("Ask", {}, **asked, sentAtMs=self._log.now_ms + 1_000)

    def _poison(self) -> None:
        key = self._chance.choice([None, "7", "no number"])
        value = self._chance.choice([None, "no JSON", '{"commandId": 3}', "[1, 2]", ""])
        place = self._log.send_poison(key, value)
        sent = {"key": _base64(key), "value": _base64(value), "place": place}
        if self._number % 4 == 0:
            sent |= {"place": None, "ack": "unknown"}
        self._line("Poison", {}, **sent, channel="kafka")

    def _snapshot(self) -> None:
        total = sum(self._log.shop.balances.values())
        self._files.add(
            "snapshots",
            {"atMs": self._log.now_ms, "walletSum": total, "entrySums": self._log.shop.moved},
        )

    def write_tables(self) -> None:
        """Dump what the shop holds."""
        shop = self._log.shop
        wallets = [{"user_id": each, "balance": shop.balances[each]} for each in shop.balances]
        tables: dict[str, list[Json]] = {
            "wallets": wallets,
            "balance_entries": shop.entries,
            "products": list(shop.products.values()),
            "coupons": list(shop.coupons.values()),
            "user_coupons": list(shop.copies.values()),
            "orders": list(shop.orders.values()),
            "order_lines": [line for lines in shop.lines.values() for line in lines],
        }
        for name, rows in tables.items():
            for row in rows:
                self._files.add(f"database/{name}", row)

    def write_objects(self, folder: Path, seed: int) -> None:
        """Write what is no list of lines."""
        products = [{"productId": each, "stock": STOCK, "price": PRICE} for each in PRODUCTS]
        coupons = [{"couponCode": c, "total": TOTAL, "discountAmount": 500} for c in COUPONS]
        run = {
            "seed": seed,
            "command": f"make chaos SEED={seed}",
            "startedAtMs": self._started_ms,
            "endedAtMs": self._log.now_ms,
            "offeredPerSecond": 200,
            "topicPrefix": PREFIX,
            "setup": {"products": products, "coupons": coupons},
            "limits": {"balanceMax": BALANCE_MAX},
            "faults": self._faults(),
        }
        (folder / "run.json").write_text(json.dumps(run))
        (folder / "ranking.json").write_text(json.dumps(self._ranking()))

    def _faults(self) -> list[Json]:
        at_ms, faults = self._started_ms + 4_000, []
        for kind, target in (("worker_kill", "worker 2"), ("broker_kill", "kafka")):
            times = {"beginMs": at_ms, "endMs": at_ms + 500, "recoveredMs": at_ms + 2_300}
            faults.append({"kind": kind, "target": target, **times, "note": ""})
            at_ms += 9_000
        return faults

    def _ranking(self) -> Json:
        sold: defaultdict[int, int] = defaultdict(int)
        for order in self._log.shop.orders.values():
            for line in self._log.shop.lines[order["order_id"]]:
                if order["status"] == "PAID":
                    sold[line["product_id"]] += line["quantity"]
        listed = sorted(sold.items(), key=lambda each: (-each[1], each[0]))
        top = [{"rank": n, "productId": p, "quantity": q} for n, (p, q) in enumerate(listed, 1)]
        end_ms = self._log.now_ms - self._log.now_ms % HOUR_MS + HOUR_MS
        window = {"from": iso(end_ms - 72 * HOUR_MS), "to": iso(end_ms)}
        check = {"exitCode": 0, "output": "0 differences"}
        return {"asOf": iso(self._log.now_ms), "window": window, "top": top, "check": check}


def _base64(text: str | None) -> str | None:
    return None if text is None else base64.b64encode(text.encode()).decode()
