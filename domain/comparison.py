"""The rules of a check: where the live table differs from SQL, and what several workers found.

Pure: no clock, no input, no output.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce

from domain.ranking import Window

# A list of every difference would be a dump of the table where all of it is wrong.
SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the table and SQL do not say the same; without an hour, the index's sum is meant."""

    product_id: int
    hour_ms: int | None
    table: int
    sql: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared at the same marks, and where it differed; the first differences only.

    `hours` counts pairs of a product and an hour, in the table or in SQL. `window` holds the
    hours that were in both.
    """

    generation: int
    partitions: tuple[int, ...]
    window: Window
    products: int
    hours: int
    differences: int
    first: tuple[Difference, ...]


def differing(held: Mapping[int, int], expected: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Return the products of which is held what is not expected: product, held, expected.

    Nothing held and nothing sold are the same.
    """
    if held == expected:
        return []
    pairs = [
        (key, held.get(key, 0), expected.get(key, 0)) for key in held.keys() | expected.keys()
    ]
    return sorted(pair for pair in pairs if pair[1] != pair[2])


def overlap(one: Window, other: Window) -> Window:
    """Return the time that two windows have in common; a window of no length for none."""
    start_ms = max(one.start_ms, other.start_ms)
    return Window(start_ms, max(start_ms, min(one.end_ms, other.end_ms)))


def merge_comparisons(found: Collection[Comparison]) -> Comparison:
    """Say together what workers found in partitions of their own.

    Raises ValueError where there is none, a partition was compared twice, or the workers are of
    two generations: then partitions were on the move.
    """
    generations = {each.generation for each in found}
    partitions = sorted(partition for each in found for partition in each.partitions)
    if len(generations) != 1 or len(partitions) != len(set(partitions)):
        message = f"generations {sorted(generations)}, partitions {partitions}"
        raise ValueError(message)
    return Comparison(
        generation=generations.pop(),
        partitions=tuple(partitions),
        window=reduce(overlap, [each.window for each in found]),
        products=sum(each.products for each in found),
        hours=sum(each.hours for each in found),
        differences=sum(each.differences for each in found),
        first=tuple(shown for each in found for shown in each.first)[:SHOWN_MAX],
    )
