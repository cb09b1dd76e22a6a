"""When "sold out" is true at the door: two copies go, one more is added, and goes too."""

import pytest

from tests.chaos.checker.door import Line

SECOND = 1_000


@pytest.fixture
def line() -> Line:
    #         appended  answered  issued after  total after
    history = [(10, 12, 1, 2), (20, 22, 2, 2), (30, 33, 2, 3), (40, 41, 3, 3), (50, None, 3, 4)]
    made = Line(total=2)
    for appended, answered, issued, total in history:
        made.add(appended * SECOND, None if answered is None else answered * SECOND)
        made.issued, made.total = issued, total
    made.close()
    return made


#    sent  done   true
CASES = [
    (5, 6, False),  # Nothing is issued.
    (13, 15, False),  # The first is issued, the second not yet in the log.
    (13, 20, True),  # The second may have been applied by then.
    (23, 25, True),
    (31, 32, True),  # The raise is in the log, but need not be applied.
    (34, 35, False),  # Somebody was told of the raise before.
    (34, 40, True),  # The third copy may be gone.
    (45, 46, True),
    (60, 70, True),  # Nobody was told of the second raise.
]


@pytest.mark.parametrize(("sent", "done", "true"), CASES)
def test_sold_out_at_the_door_is_what_could_be_seen(
    line: Line, sent: int, done: int, true: bool
) -> None:
    assert line.was_sold_out(sent * SECOND, done * SECOND) is true
