"""Rules of what clients were told: what was acknowledged is there, and all hear the same."""

from collections import Counter
from collections.abc import Iterator

from .evidence import Evidence

_FIRST = "f.disposition IN ('APPLIED', 'REFUSED')"


def an_acknowledged_command_is_applied(evidence: Evidence) -> Iterator[str]:
    """What was acknowledged over HTTP has a row."""
    found = evidence.rows(
        """SELECT number, type, command_id, status FROM attempts a
        WHERE channel = 'http' AND ack = 'acknowledged' AND NOT EXISTS (SELECT 1
            FROM command_log l WHERE l.command_id = a.command_id AND l.principal = a.principal)"""
    )
    for number, kind, command_id, status in found:
        yield f"attempt {number} ({kind} {command_id}) was told {status}, and has no row"


def an_acknowledged_record_is_in_the_log(evidence: Evidence) -> Iterator[str]:
    """What the broker acknowledged stands at its place, as it was sent."""
    found = evidence.rows(
        """SELECT number, a.type, a.command_id, a.topic, a.partition, a.offset
        FROM attempts a LEFT JOIN records r
            ON r.topic = a.topic AND r.partition = a.partition AND r.offset = a.offset
        WHERE channel = 'kafka' AND ack = 'acknowledged' AND (r.topic IS NULL
            OR r.command_id IS NOT a.command_id OR r.type IS NOT a.type
            OR r.payload IS NOT a.payload)"""
    )
    for number, kind, command_id, topic, partition, offset in found:
        place = f"{topic}[{partition}]@{offset}"
        yield f"attempt {number} ({kind} {command_id}) is not at {place}"


def answers_tell_the_outcome(evidence: Evidence) -> Iterator[str]:
    """Every answer over HTTP is the command's first outcome, or a conflict's for other content."""
    found = evidence.rows(
        f"""SELECT a.number, a.type, a.command_id, a.status, a.code, f.status, f.code
        FROM attempts a JOIN command_log f
            ON f.command_id = a.command_id AND f.principal = a.principal AND {_FIRST}
        WHERE a.channel = 'http' AND a.ack = 'acknowledged' AND a.status <> 202
            AND (a.status <> f.status OR a.body IS NOT f.body_digest)
            AND NOT (a.code IS 'IDEMPOTENCY_KEY_REUSED' AND EXISTS (SELECT 1 FROM command_log c
                WHERE c.command_id = a.command_id AND c.disposition = 'CONFLICT'
                    AND c.payload IS a.payload AND c.status = a.status
                    AND c.body_digest IS a.body))"""
    )
    for number, kind, command_id, status, code, first, first_code in found:
        told = f"{status} {code or ''}".strip()
        held = f"{first} {first_code or ''}".strip()
        yield f"attempt {number} ({kind} {command_id}) was told {told}; its row says {held}"


def whoever_asks_hears_the_outcome(evidence: Evidence) -> Iterator[str]:
    """A command that is DONE has the outcome that its first row has."""
    found = evidence.rows(
        """SELECT k.number, k.command_id, k.told_status, f.status
        FROM asks k LEFT JOIN command_log f ON f.id = (SELECT min(id) FROM command_log
            WHERE command_id = k.command_id AND disposition IN ('APPLIED', 'REFUSED', 'DEAD'))
        WHERE k.state = 'DONE' AND (f.id IS NULL OR k.told_status <> f.status
            OR k.told_body IS NOT f.body_digest)"""
    )
    for number, command_id, told, held in found:
        yield f"question {number} heard {told} of {command_id}; its row says {held}"


def an_acknowledged_id_stays_known(evidence: Evidence) -> Iterator[str]:
    """An id that was told is never a 404 afterwards, and what is done is never pending again."""
    found = evidence.rows(
        """WITH known AS (SELECT command_id, min(done_at_ms) AS since,
                min(iif(status <> 202, done_at_ms, NULL)) AS done_since FROM attempts
            WHERE channel = 'http' AND ack = 'acknowledged' GROUP BY command_id),
        heard AS (SELECT command_id, min(done_at_ms) AS since FROM asks
            WHERE state = 'DONE' GROUP BY command_id)
        SELECT k.number, k.command_id, k.status, k.state FROM asks k
        LEFT JOIN known ON known.command_id = k.command_id
        LEFT JOIN heard ON heard.command_id = k.command_id
        WHERE (k.status = 404 AND k.sent_at_ms > min(ifnull(known.since, heard.since),
                ifnull(heard.since, known.since)))
            OR (k.state = 'PENDING' AND k.sent_at_ms > min(ifnull(done_since, heard.since),
                ifnull(heard.since, done_since)))"""
    )
    for number, command_id, status, state in found:
        yield f"question {number} for {command_id}, known before, heard {status} {state or ''}"


def one_idempotency_key_is_one_command(evidence: Evidence) -> Iterator[str]:
    """All attempts with one key are told one command id, and no other key has it."""
    found = evidence.rows(
        """SELECT slot, count(DISTINCT command_id) FROM attempts
        WHERE command_id IS NOT NULL AND slot LIKE 'key %'
        GROUP BY slot HAVING count(DISTINCT command_id) > 1"""
    )
    for slot, ids in found:
        yield f"{slot} led to {ids} commands"
    shared = evidence.rows(
        """SELECT command_id, count(DISTINCT slot) FROM attempts
        WHERE command_id IS NOT NULL AND channel = 'http'
        GROUP BY command_id HAVING count(DISTINCT slot) > 1"""
    )
    for command_id, slots in shared:
        yield f"command {command_id} is that of {slots} requests"


def what_was_refused_left_nothing(evidence: Evidence) -> Iterator[str]:
    """An attempt that was surely not accepted has no row, unless another attempt was."""
    found = evidence.rows(
        """SELECT command_id, min(number) FROM attempts a
        WHERE command_id IS NOT NULL AND EXISTS (SELECT 1 FROM command_log l
            WHERE l.command_id = a.command_id AND l.principal = a.principal)
        GROUP BY command_id, principal HAVING sum(ack <> 'refused') = 0
            AND NOT EXISTS (SELECT 1 FROM attempts o WHERE o.slot = a.slot
                AND o.ack <> 'refused')"""
    )
    for command_id, number in found:
        yield f"command {command_id} of attempt {number} was refused at the door, and has a row"


def every_command_was_sent(evidence: Evidence) -> Iterator[str]:
    """Nothing comes from nowhere, and nothing from one request twice.

    Commands whose id no client knows are those of requests that heard nothing: of each type and
    payload there are no more of them than of such requests, where all with one key are one.
    """
    unheard: Counter[tuple[str, str]] = Counter()
    slots = evidence.rows(
        """SELECT DISTINCT type, payload, slot FROM attempts a
        WHERE ack <> 'refused' AND channel = 'http' AND NOT EXISTS (SELECT 1 FROM attempts o
            WHERE o.slot = a.slot AND o.command_id IS NOT NULL)"""
    )
    for kind, payload, _ in slots:
        unheard[kind, payload] += 1
    commands = evidence.rows(
        """SELECT l.type, l.payload, l.command_id FROM command_log l
        LEFT JOIN records r
            ON r.topic = l.topic AND r.partition = l.partition AND r.offset = l.offset
        WHERE l.disposition IN ('APPLIED', 'REFUSED')
            AND NOT (l.topic <> 'user-commands' AND ifnull(r.timestamp_ms, 0) < ?)
            AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.command_id = l.command_id
                AND a.principal = l.principal)""",
        evidence.run.started_at_ms,
    )
    for kind, payload, command_id in commands:
        unheard[kind, payload] -= 1
        if unheard[kind, payload] < 0:
            yield f"nobody sent {kind} {command_id} {payload}"


RULES = (
    an_acknowledged_command_is_applied,
    an_acknowledged_record_is_in_the_log,
    answers_tell_the_outcome,
    whoever_asks_hears_the_outcome,
    an_acknowledged_id_stays_known,
    one_idempotency_key_is_one_command,
    what_was_refused_left_nothing,
    every_command_was_sent,
)
