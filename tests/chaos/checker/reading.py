"""Turns each line of evidence into a row of the tables that rules ask."""

from collections.abc import Callable, Iterator
from typing import Any

from .files import (
    Line,
    body_digest,
    canonical,
    digest,
    from_base64,
    parsed,
    plain_id,
    plain_payload,
    raw_bytes,
    text_of,
)
from .tables import DUMPED

COMMAND_TOPICS = ("user-commands", "coupon-commands", "catalog-commands")

Row = tuple[str, tuple[Any, ...]]
"""A table's name, and the values of one row."""
Reader = Callable[[Line], Row]


class Readers:
    """The reader of each file. Topic names lose the prefix that the installation gave them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def by_file(self) -> Iterator[tuple[str, Reader]]:
        """List every file of lines that the check needs, with its reader."""
        yield "history.jsonl", self.history
        yield "snapshots.jsonl", _snapshot
        for table in DUMPED:
            yield f"database/{table}.jsonl", self._dumped(table)
        yield "database/command_log.jsonl", self.command_log
        yield "database/dead_letters.jsonl", self.dead_letter
        for topic in COMMAND_TOPICS:
            yield f"topics/{topic}.jsonl", _record_of(topic)
        for topic in ("order-events", "product-sales"):
            yield f"topics/{topic}.jsonl", self._event_of(topic)
        yield "topics/command-results.jsonl", self.result
        yield "topics/dead-letters.jsonl", self.published_letter

    def _bare(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)

    def _place(self, place: Line | None) -> tuple[Any, ...]:
        if place is None:
            return (None, None, None)
        return (self._bare(place["topic"]), place["partition"], place["offset"])

    def history(self, line: Line) -> Row:
        """Read one attempt, one question or one poison record."""
        if line["type"] == "Ask":
            return _ask(line)
        if line["type"] == "Poison":
            sent = digest(from_base64(line["key"])), digest(from_base64(line["value"]))
            return "poisons", (line["number"], *self._place(line["place"]), *sent)
        body, kind = line["body"], line["type"]
        code = body.get("code") if isinstance(body, dict) else None
        principal = _principal_of(line)
        return "attempts", (
            line["number"],
            line["channel"],
            kind,
            plain_id(line["commandId"]),
            principal,
            _slot(line, principal),
            plain_payload(kind, line["payload"]),
            line["sentAtMs"],
            line["doneAtMs"],
            line["ack"],
            line["status"],
            code,
            body_digest(body),
            *self._place(line["place"]),
        )

    def _dumped(self, table: str) -> Reader:
        columns = DUMPED[table]

        def read(line: Line) -> Row:
            named = {**line, "topic": self._bare(line["topic"])} if "topic" in columns else line
            return table, tuple(named[column] for column in columns)

        return read

    def command_log(self, line: Line) -> Row:
        """Read one row of the command log."""
        body, kind = parsed(line["body"]), line["type"]
        payload = plain_payload(kind, parsed(line["payload"])) if line["payload"] else None
        return "command_log", (
            line["id"],
            *self._place(line),
            line["key"],
            line["command_id"],
            line["principal"],
            kind,
            payload,
            line["disposition"],
            line["status"],
            body.get("code"),
            canonical(body),
            body_digest(body),
            line["accepted_at_ms"],
        )

    def dead_letter(self, line: Line) -> Row:
        """Read one row of a dead letter."""
        sent = digest(raw_bytes(line["key"])), digest(raw_bytes(line["value"]))
        return "dead_letters", (*self._place(line), *sent, line["reason"])

    def published_letter(self, line: Line) -> Row:
        """Read one record of `dead-letters`; the bytes in it are base64."""
        letter = parsed(raw_bytes(line["value"]))
        sent = digest(from_base64(letter["key"])), digest(from_base64(letter["value"]))
        return "published_letters", (*self._place(letter), *sent, letter["reason"])

    def result(self, line: Line) -> Row:
        """Read one record of `command-results`."""
        value = raw_bytes(line["value"])
        said = parsed(value)
        return "results", (
            line["partition"],
            line["offset"],
            *self._place(said),
            said["commandId"],
            said["status"],
            body_digest(said["body"]),
            digest(value),
            said["replayed"],
        )

    def _event_of(self, topic: str) -> Reader:
        def read(line: Line) -> Row:
            value = raw_bytes(line["value"])
            said = parsed(value)
            return "events", (
                topic,
                line["partition"],
                line["offset"],
                line["timestampMs"],
                text_of(raw_bytes(line["key"])),
                said.get("eventId"),
                said.get("type"),
                said.get("orderId"),
                said.get("productId"),
                canonical(said),
                digest(value),
                *self._place(said.get("source")),
            )

        return read


def _principal_of(line: Line) -> str:
    """Tell who acts: who is named, else the payload's user, else the operator; credits are his."""
    if line["type"] == "CreditBalance" and not line.get("principal"):
        return "operator"
    named = line.get("principal") or line["payload"].get("userId") or "operator"
    return str(named)


def _slot(line: Line, principal: str) -> str:
    key = line["idempotencyKey"]
    return f"one {line['number']}" if key is None else f"key {principal} {line['type']} {key}"


def _ask(line: Line) -> Row:
    told = line["body"] if isinstance(line["body"], dict) else {}
    return "asks", (
        line["number"],
        plain_id(line["commandId"]),
        line["sentAtMs"],
        line["doneAtMs"],
        line["status"],
        told.get("state"),
        told.get("status"),
        body_digest(told.get("body")),
    )


def _snapshot(line: Line) -> Row:
    return "snapshots", (line["atMs"], line["walletSum"], sum(line["entrySums"].values()))


def _record_of(topic: str) -> Reader:
    def read(line: Line) -> Row:
        key, value = raw_bytes(line["key"]), raw_bytes(line["value"])
        said = parsed(value)
        kind = said.get("type")
        return "records", (
            topic,
            line["partition"],
            line["offset"],
            line["timestampMs"],
            text_of(key),
            digest(key),
            digest(value),
            plain_id(said.get("commandId")),
            kind if isinstance(kind, str) and kind.isascii() else None,
            plain_payload(kind, said.get("payload")),
        )

    return read
