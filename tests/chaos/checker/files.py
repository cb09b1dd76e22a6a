"""Lines of evidence, and the forms in which values are compared."""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

_EPOCH = datetime.fromtimestamp(0, UTC)

Line = dict[str, Any]
"""One JSON object as its writer left it."""


class EvidenceError(Exception):
    """The evidence cannot be read, so nothing can be said of the run."""


def read_object(file: Path) -> Line:
    """Read a file that is one JSON object."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        message = f"{file.name}: {error}"
        raise EvidenceError(message) from error
    if not isinstance(value, dict):
        message = f"{file.name}: no JSON object"
        raise EvidenceError(message)
    return value


def read_lines(file: Path) -> Iterator[tuple[int, Line]]:
    """Read a file of one JSON object per line, with its number. An hour of them fits no memory."""
    try:
        with file.open("rb") as opened:
            for number, text in enumerate(opened, 1):
                yield number, _object(text, f"{file.name}:{number}")
    except OSError as error:
        message = f"{file.name}: {error.strerror}"
        raise EvidenceError(message) from error


def _object(text: bytes, where: str) -> Line:
    try:
        value = json.loads(text)
    except ValueError as error:
        message = f"{where}: {error}"
        raise EvidenceError(message) from error
    if not isinstance(value, dict):
        message = f"{where}: no JSON object"
        raise EvidenceError(message)
    return value


def canonical(value: object) -> str:
    """Write JSON in one form only, so that equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(raw: bytes | str | None) -> bytes | None:
    """Stand in for bytes that are only compared; an hour's bodies would fill the disk."""
    if raw is None:
        return None
    return blake2b(raw.encode() if isinstance(raw, str) else raw, digest_size=16).digest()


def body_digest(body: object) -> bytes | None:
    """Digest a JSON value, whatever the spaces and the order of fields."""
    return digest(canonical(body))


def raw_bytes(shown: str | dict[str, str] | None) -> bytes | None:
    """Return the bytes of a dumped key or value: text, or {"base64"} where it is no UTF-8."""
    if shown is None or isinstance(shown, str):
        return None if shown is None else shown.encode()
    return from_base64(shown["base64"])


def from_base64(text: str | None) -> bytes | None:
    """Decode base64; None for none."""
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error as error:
        message = f"no base64: {text!r}"
        raise EvidenceError(message) from error


def text_of(raw: bytes | None) -> str | None:
    """Show bytes as a row's text column can hold them."""
    return None if raw is None else raw.decode(errors="replace").replace("\x00", "\ufffd")


def parsed(raw: bytes | str | None) -> Line:
    """Parse what should be a JSON object; empty where it is none, for poison is evidence too."""
    try:
        value = json.loads(raw or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def plain_id(value: object) -> str | None:
    """Return a command id in the form that rows have it in: lower case, with hyphens."""
    if not isinstance(value, str):
        return None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def plain_payload(kind: object, payload: object) -> str | None:
    """Write a payload in one form: optional fields that are null or left out are the same.

    Times become epoch milliseconds, for one time has many forms.
    """
    if not isinstance(payload, dict):
        return None
    said = {name: value for name, value in payload.items() if value is not None}
    if kind == "DefineProduct":
        said.setdefault("stock", 0)
    if kind == "PauseCoupon":
        said.setdefault("paused", True)
    for name in ("validFrom", "validUntil"):
        if isinstance(said.get(name), str):
            said[name] = moment_ms(said[name])
    return canonical(said)


def moment_ms(text: object) -> int | None:
    """Return the epoch milliseconds of an ISO 8601 time with an offset; None where it is none."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return None if at.tzinfo is None else (at - _EPOCH) // timedelta(milliseconds=1)
