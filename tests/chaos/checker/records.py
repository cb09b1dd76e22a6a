"""Rules of the log: every record has one row, one disposition and one outcome, told to all."""

from collections.abc import Iterator

from .evidence import Evidence

_SAME_PLACE = "l.topic = r.topic AND l.partition = r.partition AND l.offset = r.offset"
_ITS_RESULTS = (
    "t.source_topic = l.topic AND t.source_partition = l.partition AND t.source_offset = l.offset"
)


def every_record_has_one_row(evidence: Evidence) -> Iterator[str]:
    """A record that is in the log was applied, once."""
    found = evidence.rows(
        f"""SELECT r.topic, r.partition, r.offset, count(l.id) AS held
        FROM records r LEFT JOIN command_log l ON {_SAME_PLACE}
        GROUP BY r.topic, r.partition, r.offset HAVING held <> 1"""
    )
    for topic, partition, offset, held in found:
        yield f"{topic}[{partition}]@{offset} has {held} rows"


def every_row_has_its_record(evidence: Evidence) -> Iterator[str]:
    """Nothing was applied that is not in the log."""
    found = evidence.rows(
        f"""SELECT l.topic, l.partition, l.offset, l.type, l.command_id
        FROM command_log l LEFT JOIN records r ON {_SAME_PLACE} WHERE r.topic IS NULL"""
    )
    for topic, partition, offset, kind, command_id in found:
        yield f"the row of {kind} {command_id} is of {topic}[{partition}]@{offset}: no such record"


def rows_say_what_their_records_say(evidence: Evidence) -> Iterator[str]:
    """Key, id, type and payload of a row are its record's. Of poison little can be read."""
    found = evidence.rows(
        f"""SELECT l.topic, l.partition, l.offset, r.type, r.command_id, r.payload,
            l.type, l.command_id, l.payload
        FROM command_log l JOIN records r ON {_SAME_PLACE}
        WHERE l.disposition <> 'DEAD' AND (l.key IS NOT r.key OR l.type IS NOT r.type
            OR l.command_id IS NOT r.command_id OR l.payload IS NOT r.payload)"""
    )
    for topic, partition, offset, *said in found:
        yield f"{topic}[{partition}]@{offset}: record {said[:3]}, row {said[3:]}"


def rows_have_the_brokers_time(evidence: Evidence) -> Iterator[str]:
    """A record is decided at its broker time, but never earlier than those before it."""
    found = evidence.rows(
        f"""SELECT * FROM (
            SELECT l.topic, l.partition, l.offset, l.accepted_at_ms AS held,
                max(r.timestamp_ms) OVER (PARTITION BY r.topic, r.partition
                    ORDER BY r.offset) AS expected
            FROM records r JOIN command_log l ON {_SAME_PLACE})
        WHERE held <> expected"""
    )
    for topic, partition, offset, held, expected in found:
        yield f"{topic}[{partition}]@{offset} was decided as of {held}, not {expected}"


def every_command_has_one_first_row(evidence: Evidence) -> Iterator[str]:
    """Of all records of one command the first in the log was decided, and no other."""
    found = evidence.rows(
        """SELECT principal, command_id, sum(is_first), min(id) = min(iif(is_first, id, NULL))
        FROM (SELECT id, principal, command_id,
            disposition IN ('APPLIED', 'REFUSED', 'DEAD') AS is_first
            FROM command_log WHERE principal IS NOT NULL)
        GROUP BY principal, command_id HAVING sum(is_first) <> 1
            OR min(id) <> min(iif(is_first, id, NULL))"""
    )
    for principal, command_id, firsts, in_order in found:
        order = "" if in_order in (1, None) else ", and a repeat came before it"
        yield f"command {command_id} of {principal} was decided {firsts} times{order}"


def claims_name_the_first_rows(evidence: Evidence) -> Iterator[str]:
    """`command_ids` has every command once, with the place of its first record."""
    found = evidence.rows(
        """SELECT l.principal, l.command_id, count(c.command_id),
            sum(c.topic = l.topic AND c.partition = l.partition AND c.offset = l.offset)
        FROM command_log l LEFT JOIN command_ids c
            ON c.command_id = l.command_id AND c.principal = l.principal
        WHERE l.disposition IN ('APPLIED', 'REFUSED')
        GROUP BY l.id HAVING count(c.command_id) <> 1
            OR sum(c.topic = l.topic AND c.partition = l.partition AND c.offset = l.offset) <> 1"""
    )
    for principal, command_id, claims, right in found:
        yield f"command {command_id} of {principal}: {claims} claims, {right or 0} of its place"
    unfounded = evidence.rows(
        """SELECT c.principal, c.command_id FROM command_ids c WHERE NOT EXISTS (SELECT 1
            FROM command_log l WHERE l.command_id = c.command_id AND l.principal = c.principal)"""
    )
    for principal, command_id in unfounded:
        yield f"{principal} claims command {command_id}, which has no row"


def repeats_have_the_first_outcome(evidence: Evidence) -> Iterator[str]:
    """The same content again is told the first outcome; another content is a conflict."""
    found = evidence.rows(
        """SELECT l.topic, l.partition, l.offset, l.disposition, l.status, f.status
        FROM command_log l JOIN command_log f
            ON f.command_id = l.command_id AND f.principal = l.principal
            AND f.disposition IN ('APPLIED', 'REFUSED')
        WHERE (l.disposition = 'REPEATED' AND (l.status <> f.status OR l.body <> f.body
                OR l.payload IS NOT f.payload OR l.type IS NOT f.type))
            OR (l.disposition = 'CONFLICT' AND ((l.payload IS f.payload AND l.type IS f.type)
                OR l.status <> 422 OR l.code IS NOT 'IDEMPOTENCY_KEY_REUSED'))"""
    )
    for topic, partition, offset, disposition, status, first in found:
        place = f"{topic}[{partition}]@{offset}"
        yield f"{place} is {disposition} with {status}; the first outcome is {first}"


def every_row_has_a_result(evidence: Evidence) -> Iterator[str]:
    """The outcome of every record was published."""
    found = evidence.rows(
        f"""SELECT l.topic, l.partition, l.offset, l.command_id FROM command_log l
        WHERE NOT EXISTS (SELECT 1 FROM results t WHERE {_ITS_RESULTS})"""
    )
    for topic, partition, offset, command_id in found:
        yield f"no result of {topic}[{partition}]@{offset} (command {command_id})"


def results_say_what_rows_say(evidence: Evidence) -> Iterator[str]:
    """Every result is of a record, and tells that record's outcome."""
    found = evidence.rows(
        f"""SELECT t.partition, t.offset, t.command_id, t.status, l.status
        FROM results t LEFT JOIN command_log l ON {_ITS_RESULTS}
        WHERE l.id IS NULL OR t.status <> l.status OR t.body IS NOT l.body_digest
            OR t.command_id IS NOT l.command_id
            OR t.replayed <> (l.disposition = 'REPEATED')"""
    )
    for partition, offset, command_id, told, held in found:
        where = f"command-results[{partition}]@{offset}"
        yield f"{where} tells {told} of {command_id}; its row says {held or 'nothing'}"


def results_come_again_unchanged(evidence: Evidence) -> Iterator[str]:
    """A result that is published again after a crash is the same, byte for byte."""
    found = evidence.rows(
        """SELECT source_topic, source_partition, source_offset, count(DISTINCT value)
        FROM results GROUP BY 1, 2, 3 HAVING count(DISTINCT value) > 1"""
    )
    for topic, partition, offset, forms in found:
        yield f"the result of {topic}[{partition}]@{offset} has {forms} forms"


RULES = (
    every_record_has_one_row,
    every_row_has_its_record,
    rows_say_what_their_records_say,
    rows_have_the_brokers_time,
    every_command_has_one_first_row,
    claims_name_the_first_rows,
    repeats_have_the_first_outcome,
    every_row_has_a_result,
    results_say_what_rows_say,
    results_come_again_unchanged,
)
