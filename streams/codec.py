"""The only place that turns wire shapes into commands, and back into bytes.

Nothing here raises for bad input: a record that is no command comes back as poison, with the
reason and with as much of its envelope as could be read.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from aiokafka.partitioner import murmur2

from domain import commands
from domain.ids import CommandId
from domain.principals import OPERATOR, why_not_allowed
from streams import wire
from streams.kinds import ADMIN_TYPES, KINDS, Kind
from streams.records import Record
from streams.topics import Topics

REQUEST_TOKEN = "request-token"  # noqa: S105  # nosec B105
RESULTS_PARTITION = "results-partition"
DEAD_LETTER_REPLAY = "dead-letter-replay"


class PoisonReason(StrEnum):
    """Why a record became a dead letter."""

    KEY_MISSING = "KEY_MISSING"
    UNDECODABLE = "UNDECODABLE"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    KEY_MISMATCH = "KEY_MISMATCH"
    WRONG_PARTITION = "WRONG_PARTITION"
    NOT_ALLOWED = "NOT_ALLOWED"
    RULE_FAILED = "RULE_FAILED"
    DATA_REFUSED = "DATA_REFUSED"


@dataclass(frozen=True, slots=True)
class Poison:
    """Why a record cannot be applied, in a word and in a sentence."""

    reason: PoisonReason
    detail: str


class Incoming(NamedTuple):
    """One record as understood: a command, or poison with what could be read of it."""

    record: Record
    command: commands.Command | None = None
    poison: Poison | None = None
    command_id: CommandId | None = None
    principal: str | None = None
    type: str | None = None
    payload: bytes | None = None
    fingerprint: bytes | None = None


class _RefusedError(Exception):
    def __init__(self, reason: PoisonReason, detail: str) -> None:
        super().__init__(detail)
        self.poison = Poison(reason, detail)


_DecodeErrors = (msgspec.DecodeError, ValueError, RecursionError)
_encode = msgspec.json.Encoder().encode
_decode_envelope = msgspec.json.Decoder(wire.Envelope).decode


_PAYLOAD_DECODERS = {name: msgspec.json.Decoder(kind.shape) for name, kind in KINDS.items()}


@lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's own clients place it (murmur2)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def principal_of(payload: wire.Shape) -> str:
    """Return who acts where nobody is named: the payload's user, else the operator."""
    if type(payload).__name__ in ADMIN_TYPES:
        return OPERATOR
    return str(getattr(payload, "user_id", OPERATOR))


def fingerprint_of(kind: str, payload: bytes) -> bytes:
    """Return what tells two requests apart: the SHA-256 of the type and the canonical payload."""
    return hashlib.sha256(kind.encode() + b"\0" + payload).digest()


def encode_command(
    command_id: UUID, payload: wire.Shape, stamp: wire.Stamp | str | None = None
) -> bytes:
    """Encode the envelope of a command, as any producer would; a principal alone has no scope."""
    principal, scope = stamp if isinstance(stamp, wire.Stamp) else (stamp, None)
    return _encode(
        wire.Envelope(
            command_id=command_id,
            type=type(payload).__name__,
            payload=msgspec.Raw(_encode(payload)),
            principal=principal,
            scope=msgspec.UNSET if scope is None else scope,
        )
    )


def key_of(payload: wire.Shape) -> bytes:
    """Return the record key of a command's payload."""
    return KINDS[type(payload).__name__].key(payload).encode()


def read_envelope(value: bytes | None) -> tuple[wire.Envelope, Any] | Poison:
    """Read a command that is not in its line yet: envelope and payload, or why it is none."""
    if value is None:
        return Poison(PoisonReason.UNDECODABLE, "The record has no value.")
    try:
        envelope = _decode_envelope(value)
        kind = KINDS.get(envelope.type)
        if kind is None:
            return Poison(PoisonReason.UNKNOWN_TYPE, f"{envelope.type!r} is no command.")
        payload = _decode_payload(kind, envelope.payload)
        _convert(kind, CommandId(str(envelope.command_id)), payload)
    except _RefusedError as refused:
        return refused.poison
    except _DecodeErrors as error:
        return Poison(PoisonReason.UNDECODABLE, _sentence(error))
    return envelope, payload


class CommandReader:
    """Reads records of the command topics of one installation.

    With `asks_stamps` each must say who acts, and may do no more than that one may.
    """

    def __init__(self, topics: Topics, *, asks_stamps: bool = False) -> None:
        self._asks_stamps = asks_stamps
        self._partitions = {topic.name: topic.partitions for topic in topics.commands}
        self._names = {
            name: frozenset(
                kind.name for kind in KINDS.values() if getattr(topics, kind.topic).name == name
            )
            for name in self._partitions
        }

    def read(self, record: Record) -> Incoming:
        """Understand one record. Never raises for what a producer may have sent."""
        if record.key is None:
            return _poison(record, PoisonReason.KEY_MISSING, "The record has no key.")
        if record.value is None:
            return _poison(record, PoisonReason.UNDECODABLE, "The record has no value.")
        try:
            envelope = _decode_envelope(record.value)
        except _DecodeErrors as error:
            return _poison(record, PoisonReason.UNDECODABLE, _sentence(error))
        return self._read_payload(record, envelope)

    def _read_payload(self, record: Record, envelope: wire.Envelope) -> Incoming:
        command_id = CommandId(str(envelope.command_id))
        kind = KINDS.get(envelope.type)
        try:
            if kind is None or kind.name not in self._names[record.place.topic]:
                detail = f"{envelope.type!r} is not a command of this topic."
                raise _RefusedError(PoisonReason.UNKNOWN_TYPE, detail)
            payload = _decode_payload(kind, envelope.payload)
            self._check_place(record, kind.key(payload).encode())
            command = _convert(kind, command_id, payload)
            if self._asks_stamps:
                _check_stamp(kind, envelope, payload)
        except _RefusedError as refused:
            return Incoming(record, poison=refused.poison, command_id=command_id)
        canonical = _encode(payload)
        return Incoming(
            record=record,
            command=command,
            command_id=command_id,
            principal=envelope.principal or principal_of(payload),
            type=kind.name,
            payload=canonical,
            fingerprint=fingerprint_of(kind.name, canonical),
        )

    def _check_place(self, record: Record, key: bytes) -> None:
        if record.key != key:
            detail = f"The key is not the payload's {key.decode()!r}."
            raise _RefusedError(PoisonReason.KEY_MISMATCH, detail)
        partition = partition_of(key, self._partitions[record.place.topic])
        if partition != record.place.partition:
            detail = f"This key belongs to partition {partition} (murmur2)."
            raise _RefusedError(PoisonReason.WRONG_PARTITION, detail)


def _check_stamp(kind: Kind, envelope: wire.Envelope, payload: Any) -> None:
    """Look again at what an edge or the gateway should have seen to; no header is asked."""
    if envelope.principal is None:
        detail = "The command does not say who acts."
        raise _RefusedError(PoisonReason.NOT_ALLOWED, detail)
    detail_or_none = why_not_allowed(
        envelope.principal,
        None if envelope.scope is msgspec.UNSET else envelope.scope,
        getattr(payload, "user_id", None),
        is_admin_command=kind.is_admin,
    )
    if detail_or_none is not None:
        raise _RefusedError(PoisonReason.NOT_ALLOWED, detail_or_none)


def _decode_payload(kind: Kind, raw: msgspec.Raw) -> Any:
    try:
        return _PAYLOAD_DECODERS[kind.name].decode(raw)
    except _DecodeErrors as error:
        raise _RefusedError(PoisonReason.INVALID_PAYLOAD, _sentence(error)) from error


def _convert(kind: Kind, command_id: CommandId, payload: Any) -> commands.Command:
    try:
        return kind.convert(command_id, payload)
    except (ValueError, OverflowError) as error:
        raise _RefusedError(PoisonReason.INVALID_PAYLOAD, _sentence(error)) from error


def _poison(record: Record, reason: PoisonReason, detail: str) -> Incoming:
    return Incoming(record, poison=Poison(reason, detail))


def _sentence(error: BaseException) -> str:
    return str(error).replace("\x00", "\\0")[:500] or type(error).__name__
