"""Rules of dead letters: poison is kept byte for byte, and nothing else is among it."""

from collections.abc import Iterator

from .evidence import Evidence

_SAME_PLACE = "d.topic = p.topic AND d.partition = p.partition AND d.offset = p.offset"
_SAME_BYTES = "d.key IS p.key AND d.value IS p.value"


def poison_is_kept(evidence: Evidence) -> Iterator[str]:
    """Each poison record that the broker took is a row, with its bytes and a reason."""
    yield from _missing(evidence, "dead_letters", "dead letter")


def poison_is_published(evidence: Evidence) -> Iterator[str]:
    """Each is a record on `dead-letters` as well."""
    yield from _missing(evidence, "published_letters", "record on dead-letters")


def _missing(evidence: Evidence, table: str, what: str) -> Iterator[str]:
    found = evidence.rows(
        f"""SELECT p.number, p.topic, p.partition, p.offset, count(d.topic)
        FROM poisons p LEFT JOIN {table} d ON {_SAME_PLACE}
        WHERE p.topic IS NOT NULL GROUP BY p.number HAVING count(d.topic) = 0
            OR sum(NOT ({_SAME_BYTES}) OR ifnull(d.reason, '') = '') > 0"""
    )
    for number, topic, partition, offset, held in found:
        wrong = "has other bytes or no reason" if held else "is missing"
        yield f"the {what} of poison {number} at {topic}[{partition}]@{offset} {wrong}"


def no_good_record_is_dead(evidence: Evidence) -> Iterator[str]:
    """Dead letters are poison that was sent, by their place or by their bytes.

    The place may be another: a producer that lost its connection may write a record again, and
    hears of one of the places alone.
    """
    for table in ("dead_letters", "published_letters"):
        found = evidence.rows(
            f"""SELECT DISTINCT d.topic, d.partition, d.offset, d.reason FROM {table} d
            WHERE NOT EXISTS (SELECT 1 FROM poisons p WHERE {_SAME_PLACE})
                AND NOT EXISTS (SELECT 1 FROM poisons p WHERE {_SAME_BYTES})"""
        )
        for topic, partition, offset, reason in found:
            yield f"{topic}[{partition}]@{offset} is in {table} ({reason}), and was no poison"


def dead_rows_are_dead_letters(evidence: Evidence) -> Iterator[str]:
    """What the command log calls dead is a dead letter with the record's bytes, and only that."""
    found = evidence.rows(
        """SELECT l.topic, l.partition, l.offset FROM command_log l
        LEFT JOIN records p ON p.topic = l.topic AND p.partition = l.partition
            AND p.offset = l.offset
        LEFT JOIN dead_letters d ON d.topic = l.topic AND d.partition = l.partition
            AND d.offset = l.offset
        WHERE (l.disposition = 'DEAD') <> (d.topic IS NOT NULL)
            OR (d.topic IS NOT NULL AND (d.key IS NOT p.key_digest OR d.value IS NOT p.value))"""
    )
    for topic, partition, offset in found:
        yield f"{topic}[{partition}]@{offset}: command log and dead letters differ"


RULES = (
    poison_is_kept,
    poison_is_published,
    no_good_record_is_dead,
    dead_rows_are_dead_letters,
)
