"""Commands as the wire has them: valid examples of every type, and how a record holds them."""

import json
from typing import Any
from uuid import UUID

from domain import commands
from domain.ids import CommandId, CouponCode, CouponId, OrderId, ProductId, UserId
from streams import wire
from streams.codec import CommandReader, Incoming, PoisonReason, encode_command, partition_of
from streams.kinds import KINDS
from streams.outcomes import moment
from streams.records import LOG_APPEND_TIME, Place, Record
from streams.topics import topics_of

PARTITIONS = 8
TOPICS = topics_of("", PARTITIONS)
READER = CommandReader(TOPICS)
ID = UUID("12345678-1234-4234-8234-123456789abc")
NAME_TO_TOPIC = {kind.name: getattr(TOPICS, kind.topic).name for kind in KINDS.values()}

#   payload                                        key      command
VALID: list[tuple[wire.Shape, bytes, commands.Command]] = [
    (
        wire.ChargeBalance(7, 2**63 - 1),
        b"7",
        commands.ChargeBalance(CommandId(str(ID)), UserId(7), 2**63 - 1),
    ),
    (
        wire.IssueCoupon(2**63 - 1, "RUSH-100_a"),
        b"RUSH-100_a",
        commands.IssueCoupon(CommandId(str(ID)), UserId(2**63 - 1), CouponCode("RUSH-100_a")),
    ),
    (
        wire.CreateOrder(7, [wire.OrderItem(2, 1), wire.OrderItem(1, 1), wire.OrderItem(2, 3)]),
        b"7",
        commands.CreateOrder(
            CommandId(str(ID)),
            UserId(7),
            (commands.LineRequest(ProductId(2), 4), commands.LineRequest(ProductId(1), 1)),
            None,
        ),
    ),
    (
        wire.CreateOrder(7, [wire.OrderItem(1, 10_000)], "c1"),
        b"7",
        commands.CreateOrder(
            CommandId(str(ID)),
            UserId(7),
            (commands.LineRequest(ProductId(1), 10_000),),
            CouponId("c1"),
        ),
    ),
    (
        wire.PayOrder(7, "o1"),
        b"7",
        commands.PayOrder(CommandId(str(ID)), UserId(7), OrderId("o1")),
    ),
    (
        wire.CancelOrder(7, "o1"),
        b"7",
        commands.CancelOrder(CommandId(str(ID)), UserId(7), OrderId("o1")),
    ),
    (
        wire.DefineProduct(3, "Grüner Tee 茶 🍵", 0),
        b"3",
        commands.DefineProduct(CommandId(str(ID)), ProductId(3), "Grüner Tee 茶 🍵", 0, 0),
    ),
    (
        wire.RestockProduct(3, 1),
        b"3",
        commands.RestockProduct(CommandId(str(ID)), ProductId(3), 1),
    ),
    (
        wire.DefineCoupon("EVER", 0, 1, moment(1), None),
        b"EVER",
        commands.DefineCoupon(CommandId(str(ID)), CouponCode("EVER"), 0, 1, 1, None),
    ),
    (
        wire.CreditBalance(7, 1, "ticket 812"),
        b"7",
        commands.CreditBalance(CommandId(str(ID)), UserId(7), 1, "ticket 812"),
    ),
    (
        wire.PauseCoupon("EVER", "too many"),
        b"EVER",
        commands.PauseCoupon(CommandId(str(ID)), CouponCode("EVER"), paused=True),
    ),
    (
        wire.DefineProduct(3, "Tea", 0, 0, "new price"),
        b"3",
        commands.DefineProduct(CommandId(str(ID)), ProductId(3), "Tea", 0, 0),
    ),
]
CHARGE = json.loads(encode_command(ID, wire.ChargeBalance(7, 1)))


def record(topic: str, key: bytes | None, value: bytes | None, **at: int) -> Record:
    partition = at.get("partition", partition_of(key or b"", PARTITIONS))
    return Record(Place(topic, partition, 0), key, value, (), 1, LOG_APPEND_TIME)


def read_json(said: Any, key: bytes = b"7", topic: str = "user-commands") -> Incoming:
    return READER.read(record(topic, key, json.dumps(said).encode()))


def reason_of(incoming: Incoming) -> PoisonReason:
    """Why a record is poison; see also that nothing of it can be applied, and all be stored."""
    assert incoming.poison is not None, incoming
    assert incoming.command is None
    assert incoming.poison.detail
    assert "\0" not in incoming.poison.detail
    assert len(incoming.poison.detail.encode()) <= 2_000
    return incoming.poison.reason


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CHARGE.items() if key != name}


def paying(**payload: Any) -> dict[str, Any]:
    return {**CHARGE, "payload": {"userId": 7, "amount": 1, **payload}}


def typed(name: str, **payload: Any) -> dict[str, Any]:
    return {**CHARGE, "type": name, "payload": payload}


BAD_NUMBERS: list[Any] = [0, -1, 2**63, 10**400, 1.0, "1", True, None, []]
#   what was said                                                    reason
BAD_ENVELOPES: list[tuple[Any, PoisonReason]] = [
    (without("commandId"), PoisonReason.UNDECODABLE),
    (without("type"), PoisonReason.UNDECODABLE),
    (without("payload"), PoisonReason.UNDECODABLE),
    ({**CHARGE, "more": 1}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "\0": 1}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "commandId": "7"}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "commandId": None}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "type": 7}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "type": "x" * 65}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "type": "\ud800"}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "principal": ""}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "principal": "a b"}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "principal": "a\n"}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "principal": "p" * 256}, PoisonReason.UNDECODABLE),
    ({**CHARGE, "type": "chargeBalance"}, PoisonReason.UNKNOWN_TYPE),
    ({**CHARGE, "type": "\0"}, PoisonReason.UNKNOWN_TYPE),
    ({**CHARGE, "type": ""}, PoisonReason.UNKNOWN_TYPE),
    ({**CHARGE, "type": "Envelope"}, PoisonReason.UNKNOWN_TYPE),
    ({**CHARGE, "type": "IssueCoupon"}, PoisonReason.UNKNOWN_TYPE),
    ({**CHARGE, "payload": None}, PoisonReason.INVALID_PAYLOAD),
    ({**CHARGE, "payload": []}, PoisonReason.INVALID_PAYLOAD),
    ({**CHARGE, "payload": {}}, PoisonReason.INVALID_PAYLOAD),
    (paying(more=1), PoisonReason.INVALID_PAYLOAD),
    *((paying(amount=bad), PoisonReason.INVALID_PAYLOAD) for bad in BAD_NUMBERS),
    *((paying(userId=bad), PoisonReason.INVALID_PAYLOAD) for bad in BAD_NUMBERS),
    *(
        (typed(name, userId=7, orderId=bad), PoisonReason.INVALID_PAYLOAD)
        for name in ("PayOrder", "CancelOrder")
        for bad in ("", "o\n", "o" * 65, 7, None)
    ),
    (typed("CreateOrder", userId=7, items=[]), PoisonReason.INVALID_PAYLOAD),
]
