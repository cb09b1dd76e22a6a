"""An overloaded line and its edges, simulated: who comes, who is told to return, and who does."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from random import Random

from web.backlog import Limits, Line, retry_after

TICK_SECONDS = 0.02
POLL_TICKS = 25


@dataclass(frozen=True)
class Weather:
    """What comes against the door: rates in commands per second."""

    capacity: float
    times: float = 3.0
    seconds: float = 60.0
    edges: int = 1
    returning: float = 1.0
    """The share of those who were told to come back that do so."""
    is_faithful: bool = True
    """Whether they come back to the edge that told them."""


@dataclass
class Visit:
    """Somebody who wants to join once; `told` are the seconds of the first refusal."""

    who: str
    edge: int
    came: float
    told: int = 0


@dataclass
class Door:
    """The line in one partition, and the edges before it, each with its own view."""

    weather: Weather
    limits: Limits = field(default_factory=Limits)
    random: Random = field(default_factory=lambda: Random(7))
    waits: list[float] = field(default_factory=list)
    """Seconds from joining to being applied."""
    returns: list[tuple[int, float]] = field(default_factory=list)
    """Of whoever joined after a refusal: the seconds first told, and those that it took."""
    pending: list[tuple[float, int, Visit]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lines = [Line() for _ in range(self.weather.edges)]
        self.log: deque[tuple[int, float]] = deque()
        self.written = self.applied = 0
        self._numbers = count()

    def run(self) -> "Door":
        """Let time pass, strangers come, and those return who were told to."""
        due = drained = 0.0
        for tick in range(int(self.weather.seconds / TICK_SECONDS)):
            now = tick * TICK_SECONDS
            if tick % POLL_TICKS == 0:
                self._poll(now)
            drained = min(drained + self.weather.capacity * TICK_SECONDS, self.written)
            self._apply(int(drained), now)
            due += self.weather.capacity * self.weather.times * TICK_SECONDS
            while due >= 1:
                due -= 1
                edge = self.random.randrange(self.weather.edges)
                self._come(Visit(str(next(self._numbers)), edge, now), now)
            while self.pending and self.pending[0][0] <= now:
                self._come(heapq.heappop(self.pending)[2], now)
        return self

    def _poll(self, now: float) -> None:
        for line in self.lines:
            line.see_end(self.written, line.end_offset)
            line.see_mark(self.applied, line.next_offset, now)

    def _apply(self, until: int, now: float) -> None:
        while self.applied < until:
            edge, joined = self.log.popleft()
            self.lines[edge].note_applied(self.applied)
            self.lines[edge].outstanding -= 1
            self.waits.append(now - joined)
            self.applied += 1

    def _come(self, visit: Visit, now: float) -> None:
        line = self.lines[visit.edge]
        seconds = retry_after(line, visit.who, now, self.limits)
        if seconds is None:
            line.outstanding += 1
            line.note_written(self.written)
            self.written += 1
            self.log.append((visit.edge, now))
            if visit.told:
                self.returns.append((visit.told, now - visit.came))
            return
        if not visit.told and self.random.random() > self.weather.returning:
            return
        visit.told = visit.told or seconds
        if not self.weather.is_faithful:
            visit.edge = self.random.randrange(self.weather.edges)
        again = now + seconds + self.random.uniform(0.0, 0.1)
        heapq.heappush(self.pending, (again, next(self._numbers), visit))

    @property
    def goodput(self) -> float:
        """What was applied, as a share of what could have been."""
        return self.applied / (self.weather.capacity * self.weather.seconds)

    def right(self) -> float:
        """The share of those told that joined within twice the time; who still waits is judged."""
        end = self.weather.seconds
        late = [v for _, _, v in self.pending if end - v.came > 2 * v.told + 0.2]
        good = [told for told, took in self.returns if took <= 2 * told + 0.2]
        return len(good) / max(1, len(self.returns) + len(late))

    def p99(self) -> float:
        """The wait that 99 % of those who joined did not exceed."""
        return sorted(self.waits)[len(self.waits) * 99 // 100]
