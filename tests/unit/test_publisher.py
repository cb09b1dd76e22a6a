"""Where a result goes: to who asked for it, else where its record's key belongs."""

from dataclasses import replace

import pytest

from streams.publisher import results_partition_of
from tests.unit.test_schemas import ROWS

#   asked for   key     the record's own   goes to
CASES = [
    (3, "1", 0, 3),
    (0, "1", 2, 0),
    (0, None, 2, 0),
    (None, "1", 2, None),
    (None, None, 2, 2),
    (None, "", 2, 2),
    (None, None, 5, 1),
]


@pytest.mark.parametrize(("asked", "key", "own", "wanted"), CASES)
def test_a_result_goes_to_the_same_partition_each_time(
    asked: int | None, key: str | None, own: int, wanted: int | None
) -> None:
    row = replace(ROWS[0], reply_to=asked, key=key, partition=own)
    assert results_partition_of(row, 4) == wanted
