"""From rounds to the figures of the goal table: ours paired with the peer's of the same round.

Pure: no clock, no files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.rounds import Round

OURS, EMBEDDED = "Fairline", "Fairline, embedded"
AT_CONNECTIONS = 64
"""The goals speak of so many connections."""
Figures = dict[str, list[float]]
"""By name, one value for each round."""


@dataclass(frozen=True)
class Design:
    """A peer, as the goals name it: of its variants the better one counts, round by round."""

    name: str
    sides: tuple[str, ...]


LOCK = Design("(a), mapped", ("lock, wait (mapped)", "lock, refuse (mapped)"))
ROW_LOCK = Design("(b), mapped", ("row locks (mapped)",))
BARE_LOCK = Design("(a), bare", ("lock, wait (bare)",))
BARE_ROW_LOCK = Design("(b), bare", ("row locks (bare)",))
DESIGNS = (LOCK, ROW_LOCK, BARE_LOCK, BARE_ROW_LOCK)


def pairs(
    rounds: Sequence[Round], work: str, connections: int, peer: Design
) -> list[tuple[Round, Round]]:
    """Ours and the best of a peer's variants, for each round in which both did something."""
    found = []
    here = [each for each in rounds if (each.work, each.connections) == (work, connections)]
    for ours in (each for each in here if each.side == OURS):
        theirs = [each for each in here if each.side in peer.sides and each.number == ours.number]
        best = max(theirs, key=per_second, default=None)
        if best is not None and best.per_second > 0:
            found.append((ours, best))
    return found


def per_second(each: Round) -> float:
    """What a round is judged by."""
    return each.per_second


def ratios(
    paired: Sequence[tuple[Round, Round]], figure: Callable[[Round], float] = per_second
) -> list[float]:
    """Ours to theirs, pair by pair."""
    return [figure(ours) / figure(theirs) for ours, theirs in paired]


def figures(rounds: Sequence[Round]) -> Figures:
    """What the closed loop says of the goals; a figure without a round is left out."""

    def to(work: str, peer: Design) -> list[float]:
        return ratios(pairs(rounds, work, AT_CONNECTIONS, peer))

    found = {
        "hot_coupon_vs_lock": to("coupon", LOCK),
        "hot_coupon_vs_row_lock": to("coupon", ROW_LOCK),
        "charge_vs_lock": to("charge", LOCK),
        "orders_vs_lock": to("orders", LOCK),
        "orders_vs_row_lock": to("orders", ROW_LOCK),
        "p99_vs_lock": worst_p99(rounds),
        "cpu_ms_per_charge": cpu_of_charges(rounds),
        "single_p50_ms_real": single_p50(rounds, OURS),
        "single_p50_ms_embedded": single_p50(rounds, EMBEDDED),
    }
    return {name: values for name, values in found.items() if values}


def worst_p99(rounds: Sequence[Round]) -> list[float]:
    """In each round, the p99 to (a)'s of the work that comes off worst."""
    number_to_ratios: dict[int, list[float]] = {}
    for work in ("charge", "coupon", "orders"):
        for ours, theirs in pairs(rounds, work, AT_CONNECTIONS, LOCK):
            ratio = ours.answers.p99_ms / theirs.answers.p99_ms
            number_to_ratios.setdefault(ours.number, []).append(ratio)
    return [max(found) for found in number_to_ratios.values()]


def cpu_of_charges(rounds: Sequence[Round]) -> list[float]:
    """CPU milliseconds of edge and worker per charge."""
    found = []
    for each in rounds:
        if (each.work, each.connections, each.side) == ("charge", AT_CONNECTIONS, OURS):
            edge, worker = each.cpu_ms("edge"), each.cpu_ms("worker")
            if edge is not None and worker is not None:
                found.append(edge + worker)
    return found


def single_p50(rounds: Sequence[Round], side: str) -> list[float]:
    """The middle latency of charges that came one at a time, in milliseconds."""
    alone = [each for each in rounds if (each.work, each.connections) == ("charge", 1)]
    return [each.answers.p50_ms for each in alone if each.side == side]
