"""The edge itself as a line: what it has in hand, and how fast that is done.

Where the edge, and not a worker, is what everybody waits for, the lines behind it are short, and
only this one tells. Pure, as `web/backlog.py` is.
"""

from dataclasses import replace

from web.backlog import Limits, Line, retry_after

# What an edge may do before anybody knows: more than any has done, and a burst is let in.
RATE_FIRST = 2_000.0
LOOK_SECONDS = 1.0
# With fewer in hand an edge rests, and shows only how many came.
_BUSY = 50


class Door:
    """Commands that this edge has in hand."""

    def __init__(self, limits: Limits) -> None:
        self._allowed = self._limits = limits
        self.line = Line(end_offset=0, next_offset=0, rate=RATE_FIRST)
        self._looked_at = 0.0
        self._bound()

    def retry_after(self, who: str, now: float, before: int = 0) -> int | None:
        """Decide whether one more is taken in hand: None, or the seconds to come back after.

        `before` were not taken in hand yet, and will be before this one.
        """
        self._look(now)
        self.line.before = before
        return retry_after(self.line, who, now, self._limits)

    def begin(self) -> None:
        """Take one in hand."""
        line = self.line
        line.outstanding += 1
        line.note_written(line.end_offset or 0)

    def end(self) -> None:
        """Be done with one, however."""
        line = self.line
        line.outstanding -= 1
        line.note_applied(line.next_offset or 0)

    def _look(self, now: float) -> None:
        if now - self._looked_at < LOOK_SECONDS:
            return
        line, done = self.line, self.line.next_offset or 0
        if now - self._looked_at > 4 * LOOK_SECONDS or line.outstanding < _BUSY:
            # Nobody came for a while: this says nothing of how fast it could be.
            line.start_at(done, now)
        else:
            line.see_mark(done, done, now)
        # Outcomes that do not come are a worker's doing; its own line says so.
        line.moved_at = now
        self._looked_at = now
        self._bound()

    def _bound(self) -> None:
        allowed = self._allowed
        seconds = min(allowed.queue_seconds_max, allowed.in_hand_max / self.line.rate)
        self._limits = replace(allowed, queue_seconds_max=seconds)
