"""Who was told to come back to one line, and when: the line goes on outside the door.

Whoever was refused and comes back when told finds a place that is kept, so that strangers who come
at that moment do not take it. Pure: clocks are arguments. No more is kept of anybody than a hash.
"""

# Who is so much too early is on time: a client's timer may be a little fast.
EARLY_SECONDS = 0.05
# A place is kept for as long again as was told, and for so long at least.
GRACE_SECONDS = 2.0
# About 55 MB. Whoever comes then is told a time that is too short, and comes again, and again: so
# these are about as many as an edge serves in the longest time that it tells.
APPOINTMENTS_MAX = 500_000
# How much one appointment, kept or missed, says of the next.
_SMOOTHING = 0.01
# However many stay away, some places are planned for.
_KEPT_MIN = 0.1


class Appointments:
    """The appointments at one line. One for each who asks, the oldest first."""

    __slots__ = ("_kept", "_who_to_times")

    def __init__(self) -> None:
        # From when a place is kept, and until when, as the two parts of one number: it takes a
        # third of what a pair does.
        self._who_to_times: dict[int, complex] = {}
        self._kept = 1.0

    def __len__(self) -> int:
        return len(self._who_to_times)

    @property
    def expected(self) -> float:
        """How many of those who were told to come back will do so, by those who did lately."""
        return len(self._who_to_times) * self._kept

    def is_due(self, who: str, now: float) -> bool:
        """Tell whether a place is kept now: from the time that was told, to twice that."""
        times = self._who_to_times.get(hash(who))
        return times is not None and times.real - EARLY_SECONDS <= now <= times.imag

    def seconds_left(self, who: str, now: float) -> float:
        """Return how long it is to the time that was told; 0 where that is over, or was never."""
        times = self._who_to_times.get(hash(who))
        return 0.0 if times is None else max(0.0, times.real - now)

    def make(self, who: str, seconds: float, now: float) -> None:
        """Keep a place from so many seconds on, as long as there is room for appointments."""
        # At the end of the table, so that its beginning stays the oldest.
        self._who_to_times.pop(hash(who), None)
        if len(self._who_to_times) < APPOINTMENTS_MAX:
            due = now + seconds
            self._who_to_times[hash(who)] = complex(due, due + max(GRACE_SECONDS, seconds))

    def end(self, who: str) -> None:
        """Note that somebody has got in, who may have had an appointment."""
        if self._who_to_times.pop(hash(who), None) is not None:
            self._learn(1.0)

    def forget_missed(self, now: float) -> None:
        """Give away the places of those who did not come."""
        missed = []
        for who, times in self._who_to_times.items():
            if times.imag >= now:
                break
            missed.append(who)
        for who in missed:
            del self._who_to_times[who]
            self._learn(0.0)

    def _learn(self, came: float) -> None:
        self._kept = max(_KEPT_MIN, self._kept + _SMOOTHING * (came - self._kept))
