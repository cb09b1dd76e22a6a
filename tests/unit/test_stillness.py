"""What stands still, and for how long: looks are counted, and only those with work to do."""

import pytest

from streams.faust_watch import looks_for
from streams.liveness import Liveness
from streams.stillness import Stillness

#   looks: (place, has work)                                          looks that it stood
STILL = [
    ([(1, True)], 0),
    ([(1, True), (1, True)], 1),
    ([(1, True), (1, True), (1, True)], 2),
    ([(1, True), (1, True), (2, True)], 0),
    ([(1, True), (1, False), (1, True)], 1),
    ([(1, False), (1, False), (1, False)], 0),
]


@pytest.mark.parametrize(("looks", "stood"), STILL)
def test_a_thing_stands_still_while_it_has_work_and_does_not_move(
    looks: list[tuple[int, bool]], stood: int
) -> None:
    stillness = Stillness()
    seen = [stillness.look("agent", place, has_work=has_work) for place, has_work in looks]
    assert seen[-1] == stood


def test_things_stand_each_for_itself() -> None:
    stillness = Stillness()
    stillness.look("one", 1, has_work=True)
    stillness.look("other", 1, has_work=True)
    stillness.look("other", 2, has_work=True)
    assert stillness.look("one", 1, has_work=True) == 1


@pytest.mark.parametrize(("retry_seconds_max", "looks"), [(2.0, 20), (15.0, 20), (59.5, 65)])
def test_what_is_tried_again_does_not_stand_still(retry_seconds_max: float, looks: int) -> None:
    assert looks_for(retry_seconds_max).looks_max == looks


def test_a_fault_is_told_with_its_beginning_until_it_is_gone() -> None:
    liveness = Liveness()
    liveness.note("agents", "")
    assert liveness.answer() == {"status": "ok", "checks": {"agents": True}, "faults": {}}
    liveness.note("agents", "stands still")
    first = liveness.answer()
    liveness.note("agents", "stands still, and more")
    assert liveness.answer() == first
    assert (first["status"], first["checks"]) == ("failed", {"agents": False})
    assert first["faults"]["agents"]["what"] == "stands still"
    assert first["faults"]["agents"]["since"].endswith("Z")
    liveness.note("agents", "")
    assert liveness.is_alive
