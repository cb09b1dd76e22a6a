"""The log of a run that never was: what goes into it is decided at once, and written down."""

import base64
import json
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from uuid import UUID
from zlib import crc32

from tests.chaos.sample.shop import Json, Shop, iso, problem

PREFIX = "x-"
PARTITIONS = 4
TOPIC_BY_KIND = {"IssueCoupon": "coupon-commands", "DefineCoupon": "coupon-commands"}
TOPIC_BY_KIND["PauseCoupon"] = "coupon-commands"
TOPIC_BY_KIND["RestockProduct"] = "catalog-commands"
KEY_BY_TOPIC = {"user-commands": "userId", "coupon-commands": "couponCode"}
KEY_BY_TOPIC["catalog-commands"] = "productId"
TOPICS = (*KEY_BY_TOPIC, "command-results", "order-events", "product-sales", "dead-letters")
TABLES: tuple[str, ...] = (
    "command_log",
    "command_ids",
    "dead_letters",
    "wallets",
    "balance_entries",
)
TABLES += ("products", "coupons", "user_coupons", "orders", "order_lines")
FILES = ["history", "snapshots", *(f"topics/{each}" for each in TOPICS)]
FILES += [f"database/{each}" for each in TABLES]

Place = dict[str, Any]


class Files:
    """The open files of an evidence folder; a long run is written as it goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> "Files":
        for name in FILES:
            file = self.folder / f"{name}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            self._files[name] = self._stack.enter_context(file.open("w"))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, name: str, line: Json) -> None:
        """Write one line."""
        self._files[name].write(json.dumps(line) + "\n")


class Log:
    """Topics and command log of an installation whose topics have a prefix."""

    def __init__(self, files: Files, chance: random.Random) -> None:
        self.shop = Shop()
        self.now_ms = 1_800_000_000_000
        self._files = files
        self._chance = chance
        self._ends: Counter[tuple[str, int]] = Counter()
        self._rows = 0
        self._known: dict[str, tuple[str, str, int, Json]] = {}
        self._last: list[tuple[str, int, Json]] = []

    def new_id(self) -> str:
        """Draw an id; the same run draws the same ones."""
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def send(self, kind: str, command_id: str, payload: Json) -> tuple[Place, int, Json]:
        """Append a command and apply it; return its place, status and body."""
        topic = TOPIC_BY_KIND.get(kind, "user-commands")
        key = str(payload[KEY_BY_TOPIC[topic]])
        said = {"commandId": command_id.upper(), "type": kind, "payload": payload}
        place = self._append(topic, key, json.dumps(said, indent=1))
        content = json.dumps(payload, sort_keys=True)
        known = self._known.get(command_id)
        if known is None:
            status, body = self.shop.decide(kind, command_id, payload, self.now_ms)
            self._known[command_id] = (kind, content, status, body)
            self._files.add("database/command_ids", self._claim(payload, command_id, place))
            disposition = "APPLIED" if status == 200 else "REFUSED"
        elif known[:2] == (kind, content):
            disposition, (status, body) = "REPEATED", known[2:]
        else:
            disposition, (status, body) = "CONFLICT", problem(422, "IDEMPOTENCY_KEY_REUSED")
        row = self._claim(payload, command_id, place) | {"type": kind, "key": key}
        row |= {"payload": json.dumps({"extra": None, **payload})}
        self._finish(row, disposition, (status, body))
        return place, status, body

    def send_poison(self, key: str | None, value: str | None) -> Place:
        """Append what is no command, and bury it."""
        place = self._append("user-commands", key, value)
        row = {**place, "key": key, "command_id": None, "principal": None, "type": None}
        self._finish({**row, "payload": None}, "DEAD", problem(400, "DEAD_LETTER"))
        sent = {"key": _base64(key), "value": _base64(value), "reason": "UNDECODABLE"}
        letter = {**place, **sent, "detail": "no JSON", "headers": []}
        stored = {n: letter[n] and {"base64": letter[n]} for n in ("key", "value")}
        self._files.add("database/dead_letters", {**letter, **stored, "epoch": 1})
        self._publish("dead-letters", key, letter)
        return place

    def known(self, command_id: str) -> tuple[str, str, int, Json]:
        """Return type, content, status and body of a command's first record."""
        return self._known[command_id]

    def come_again(self) -> None:
        """Publish the last results and events once more, as after a crash."""
        for topic, partition, record in self._last:
            self._write(topic, partition, record)

    def skip_offsets(self, topic: str) -> None:
        """Leave a gap, as the marker of a transaction does."""
        for partition in range(PARTITIONS):
            self._ends[topic, partition] += 1

    def _append(self, topic: str, key: str | None, value: str | None) -> Place:
        partition = _partition(key)
        offset = self._write(topic, partition, {"key": key, "value": value})
        return {"topic": PREFIX + topic, "partition": partition, "offset": offset}

    def _write(self, topic: str, partition: int, record: Json) -> int:
        offset = self._ends[topic, partition]
        self._ends[topic, partition] += 1
        named = {"partition": partition, "offset": offset, "timestampMs": self.now_ms}
        self._files.add(f"topics/{topic}", {**named, "headers": [], **record})
        return offset

    def _claim(self, payload: Json, command_id: str, place: Place) -> Json:
        # Who tells a reason is an admin.
        principal = "operator" if "reason" in payload else str(payload.get("userId", "operator"))
        return {"principal": principal, "command_id": command_id, "epoch": 1, **place}

    def _finish(self, row: Json, disposition: str, answer: tuple[int, Json]) -> None:
        self._last = []
        status, body = answer
        self._rows += 1
        outcome = {"disposition": disposition, "status": status, "body": json.dumps(body)}
        time = {"accepted_at_ms": self.now_ms, "id": self._rows}
        self._files.add("database/command_log", {**row, **outcome, **time})
        if disposition == "APPLIED" and row["type"] in ("PayOrder", "CancelOrder"):
            self._tell(row, self.shop.orders[json.loads(row["payload"])["orderId"]])
        place = {name: row[name] for name in ("topic", "partition", "offset")}
        told = {"commandId": row["command_id"], "requestToken": None, **place, "status": status}
        told |= {"body": body, "replayed": disposition == "REPEATED"}
        self._publish("command-results", row["key"], told)

    def _tell(self, row: Json, order: Json) -> None:
        """Publish the events of a payment or cancellation."""
        lines = self.shop.lines[order["order_id"]]
        place = {name: row[name] for name in ("topic", "partition", "offset")}
        common = {"orderId": order["order_id"], "source": {"epoch": 1, **place}}
        paid, moved = order["paid_at_ms"], order["payable_amount"]
        event = {"eventId": f"{row['command_id']}:0", "userId": order["user_id"], **common}
        event |= {"items": [_item(line) for line in lines], "couponId": order["coupon_id"]}
        event |= {"totalAmount": order["total_amount"], "paidAt": paid and iso(paid)}
        event["discountAmount"] = order["discount_amount"]
        if row["type"] == "PayOrder":
            event |= {"type": "OrderPaid", "paidAmount": moved}
        else:
            event |= {"type": "OrderCancelled", "refundedAmount": moved if paid else 0}
            event["cancelledAt"] = iso(order["cancelled_at_ms"])
        self._publish("order-events", str(order["user_id"]), event)
        sign = 1 if row["type"] == "PayOrder" else -1
        for number, line in enumerate(lines if paid else [], 1):
            sale = {"eventId": f"{row['command_id']}:{number}", "type": "SaleRecorded", **common}
            sale |= {"productId": line["product_id"], "quantity": sign * line["quantity"]}
            sale["soldAt"] = iso(paid)
            self._publish("product-sales", str(line["product_id"]), sale, at_ms=paid)

    def _publish(
        self, topic: str, key: str | None, value: Json, *, at_ms: int | None = None
    ) -> None:
        record = {"key": key, "value": json.dumps(value), "timestampMs": at_ms or self.now_ms}
        self._last.append((topic, _partition(key), record))
        self._write(topic, _partition(key), record)


def _item(line: Json) -> Json:
    amount = line["unit_price"] * line["quantity"]
    named = {"productId": line["product_id"], "unitPrice": line["unit_price"]}
    return {**named, "quantity": line["quantity"], "amount": amount}


def _partition(key: str | None) -> int:
    return crc32((key or "").encode()) % PARTITIONS


def _base64(text: str | None) -> str | None:
    return None if text is None else base64.b64encode(text.encode()).decode()
