"""The rule of answers without the log: "sold out" at the door is told only where it is so."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from .evidence import Evidence
from .files import parsed

# The broker's clock and the clients' are one machine's, but read at different moments.
CLOCKS_MS = 1_000

_LINES = """SELECT l.type, l.payload, l.disposition, l.accepted_at_ms, (SELECT min(a.done_at_ms)
        FROM attempts a WHERE a.command_id = l.command_id AND a.channel = 'http'
        AND a.ack = 'acknowledged' AND a.status <> 202)
    FROM command_log l WHERE l.topic = 'coupon-commands'
        AND l.disposition IN ('APPLIED', 'REFUSED') ORDER BY l.partition, l.offset"""
_TOLD = """SELECT number, json_extract(payload, '$.couponCode'), sent_at_ms, done_at_ms
    FROM attempts WHERE code = 'COUPON_SOLD_OUT' AND command_id IS NULL"""


@dataclass(slots=True)
class Line:
    """One coupon's line, record by record; the caller counts, `close` ends it.

    Place n of each list is the state after record n; place 0 is the state before all.
    """

    total: int
    issued: int = 0
    appended_ms: list[int] = field(default_factory=lambda: [0])
    known: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    sold_out: list[int] = field(default_factory=list)

    def add(self, appended_ms: int, known_ms: int | None) -> None:
        self.sold_out.append(self.issued >= self.total)
        if known_ms is not None:
            self.known.append((known_ms, len(self.appended_ms)))
        self.appended_ms.append(appended_ms)

    def close(self) -> None:
        """Prepare for questions: sums instead of flags, and the furthest known at each time."""
        self.sold_out = [0, *accumulate([*self.sold_out, self.issued >= self.total])]
        self.known.sort()
        furthest = accumulate((place for _, place in self.known), max)
        self.known = [(at, far) for (at, _), far in zip(self.known, furthest, strict=True)]

    def was_sold_out(self, sent_at_ms: int, done_at_ms: int) -> bool:
        """Tell whether it was so at some state that could be seen between these times.

        What somebody was answered before is committed, so no earlier state is seen; what was
        appended later is not.
        """
        first = self.known[bisect_right(self.known, (sent_at_ms, len(self.appended_ms))) - 1][1]
        last = bisect_right(self.appended_ms, done_at_ms + CLOCKS_MS) - 1
        return last < first or self.sold_out[last + 1] > self.sold_out[first]


def _lines_of(evidence: Evidence) -> dict[str, Line]:
    totals = evidence.run.coupon_code_to_total
    lines: defaultdict[str, Line] = defaultdict(lambda: Line(0))
    lines |= {code: Line(total) for code, total in totals.items()}
    for kind, payload, disposition, appended_ms, known_ms in evidence.rows(_LINES):
        said = parsed(payload)
        line = lines[said["couponCode"]]
        line.add(appended_ms, known_ms)
        if disposition == "APPLIED" and kind == "DefineCoupon":
            line.total = said["total"]
        elif disposition == "APPLIED":
            line.issued += 1
    for line in lines.values():
        line.close()
    return lines


def sold_out_at_the_door_is_true(evidence: Evidence) -> Iterator[str]:
    """Who is told "sold out" without the log is told what the database could show just then."""
    lines = _lines_of(evidence)
    for number, code, sent_at_ms, done_at_ms in evidence.rows(_TOLD):
        line = lines.get(code)
        if line is None or not line.was_sold_out(sent_at_ms, done_at_ms):
            yield f"attempt {number} was told that coupon {code} is sold out, and it was not"


RULES = (sold_out_at_the_door_is_true,)
