"""Records as nobody should send them, by the kind of what is wrong with them."""

import json
from dataclasses import dataclass
from random import Random
from uuid import UUID

TOPIC = "user-commands"


@dataclass(frozen=True)
class Raw:
    """A record to be sent as it is."""

    key: bytes | None
    value: bytes | None
    partition: int


def _envelope(uuid: UUID, payload: object, kind: object = "ChargeBalance") -> bytes:
    return json.dumps({"commandId": str(uuid), "type": kind, "payload": payload}).encode()


def make(kind: str, uuid: UUID, home: int, partitions: int) -> Raw:
    """Make a record of a kind; `home` is the partition that belongs to user 1."""
    charge = {"userId": 1, "amount": 5}
    good = _envelope(uuid, charge)
    draw = Random(uuid.int)
    values: dict[str, bytes | None] = {
        "bad-json": good[: draw.randint(1, len(good) - 1)],
        "not-utf8": b"\xff\xfe" + good,
        "wrong-types": _envelope(uuid, {"userId": "1", "amount": True}),
        "unknown-field": _envelope(uuid, {**charge, "balance": 10**6}),
        "unknown-type": _envelope(uuid, charge, "GiveMoney"),
        "foreign-topic": _envelope(uuid, {"couponCode": "HOT-1", "userId": 1}, "IssueCoupon"),
        "nested": b"[" * 20_000 + b"]" * 20_000,
        "nested-payload": good.replace(b"5}", b"[" * 5_000 + b"]" * 5_000 + b"}"),
        "nan": good.replace(b"5}", b"NaN}"),
        "too-large": good.replace(b"5}", str(2**63).encode() + b"}"),
        "surrogates": good.replace(b'"payload"', b'"\\ud800": 1, "payload"'),
        "nul": good.replace(b"ChargeBalance", b"Charge\\u0000Balance"),
        "negative": _envelope(uuid, {**charge, "amount": -5}),
        "no-id": json.dumps({"type": "ChargeBalance", "payload": charge}).encode(),
        "empty": b"",
        "tombstone": None,
    }
    if kind in values:
        return Raw(b"1", values[kind], home)
    keys = {"null-key": None, "other-key": b"2", "key-not-utf8": b"\xff\x00", "wrong-place": b"1"}
    partition = (home + 1) % partitions if kind == "wrong-place" else home
    return Raw(keys[kind], good, partition)


KINDS = (
    "bad-json",
    "not-utf8",
    "wrong-types",
    "unknown-field",
    "unknown-type",
    "foreign-topic",
    "nested",
    "nested-payload",
    "nan",
    "too-large",
    "surrogates",
    "nul",
    "negative",
    "no-id",
    "empty",
    "tombstone",
    "null-key",
    "other-key",
    "key-not-utf8",
    "wrong-place",
)
