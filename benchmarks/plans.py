"""What each of the three runs measures, and about how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

AROUND_SECONDS = 2.0
"""Beside the load itself, a run takes so long: opening a coupon, settling, counting."""
START_SECONDS = 45.0
"""Services, sides, money for everybody."""
EMBEDDED_SECONDS = 25.0


@dataclass(frozen=True)
class Plan:
    """The closed loop's works, loads and sides, and which other parts run after it."""

    name: str
    works: tuple[str, ...]
    connections: tuple[int, ...]
    rounds: int
    seconds: int
    warm_seconds: int
    styles: tuple[str, ...]
    """How the peer is written: "mapped" is the one that counts, "bare" is shown beside it."""
    single_rounds: int
    """How often requests are sent one at a time, to real services and to the embedded ones."""
    parts: tuple[str, ...] = ()
    """Of `benchmarks/parts.py`."""


ALL_WORKS = ("charge", "coupon", "orders", "mixed")
SMOKE = Plan(
    name="smoke",
    works=("charge", "coupon", "orders"),
    connections=(64,),
    rounds=1,
    seconds=4,
    warm_seconds=1,
    styles=("mapped",),
    single_rounds=0,
)
GOALS = Plan(
    name="goals",
    works=ALL_WORKS,
    connections=(64,),
    rounds=3,
    seconds=5,
    warm_seconds=3,
    styles=("mapped", "bare"),
    single_rounds=3,
    parts=("some-limits",),
)
FULL = Plan(
    name="full",
    works=ALL_WORKS,
    connections=(64, 1, 16, 256),
    rounds=3,
    seconds=5,
    warm_seconds=5,
    styles=("mapped", "bare"),
    single_rounds=5,
    parts=("limits", "open-loop", "overload", "growth"),
)


@dataclass(frozen=True)
class Turn:
    """One run of the load: a work, at so many connections, in a round; round 0 is a warm-up."""

    work: str
    connections: int
    number: int
    seconds: int


def turns(plan: Plan) -> list[Turn]:
    """All runs that each side is to make, in order. A work is warmed up once."""
    found = []
    for connections in plan.connections:
        for work in plan.works:
            if connections == plan.connections[0]:
                found.append(Turn(work, connections, 0, plan.warm_seconds))
            numbers = range(1, plan.rounds + 1)
            found += [Turn(work, connections, number, plan.seconds) for number in numbers]
    return found


def single_turns(plan: Plan) -> list[Turn]:
    """Charges one at a time, after a warm-up."""
    seconds = [plan.warm_seconds, *[plan.seconds] * plan.single_rounds]
    return [Turn("charge", 1, number, each) for number, each in enumerate(seconds)]


def seconds_of(turns: Sequence[Turn], sides: Sequence[Sequence[str]]) -> float:
    """How long these runs take, given the works of each side."""
    runs = [turn for turn in turns for works in sides if turn.work in works]
    return sum(turn.seconds + AROUND_SECONDS for turn in runs)
