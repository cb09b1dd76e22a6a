"""Commands as they were sent, read back from the command log."""

from domain import commands
from domain.ids import CommandId
from storage.audit import Logged
from storage.command_log import Disposition, LogRow
from streams.audit.facts import UNREADABLE, decode
from streams.codec import REQUEST_TOKEN, RESULTS_PARTITION, Incoming, fingerprint_of
from streams.kinds import KINDS
from streams.records import LOG_APPEND_TIME, Place, Record


class UnreadableError(Exception):
    """A row of the command log does not say what the command was."""


def is_command(row: LogRow) -> bool:
    """Tell whether a row's command can be decided again: a dead letter never was."""
    return row.disposition != Disposition.DEAD and row.command_id is not None


def incoming_of(logged: Logged) -> Incoming:
    """Read a row's command as it came in. Raises UnreadableError."""
    row = logged.row
    try:
        command = _command_of(row)
        payload = (row.payload or "").encode()
        fingerprint = fingerprint_of(row.type or "", payload)
    except UNREADABLE as error:
        raise UnreadableError(repr(error)) from error
    if fingerprint != row.fingerprint:
        message = "type and payload do not have the fingerprint that the command had"
        raise UnreadableError(message)
    return Incoming(
        record=_record_of(row),
        command=command,
        command_id=CommandId(row.command_id or ""),
        principal=row.principal,
        type=row.type,
        payload=payload,
        fingerprint=fingerprint,
    )


def _command_of(row: LogRow) -> commands.Command:
    kind = KINDS[row.type or ""]
    return kind.convert(
        CommandId(row.command_id or ""), decode(row.payload or "", type=kind.shape)
    )


def _record_of(row: LogRow) -> Record:
    headers = []
    if row.reply_to is not None:
        headers.append((RESULTS_PARTITION, str(row.reply_to).encode()))
    if row.request_token is not None:
        headers.append((REQUEST_TOKEN, row.request_token.encode()))
    place = Place(row.topic, row.partition, row.offset)
    key = None if row.key is None else row.key.encode()
    return Record(place, key, None, headers, row.accepted_at_ms, LOG_APPEND_TIME)
