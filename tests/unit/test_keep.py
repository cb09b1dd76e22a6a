"""Children are kept running, but not in a hurry, and not against a person's will."""

import sys
import time

import pytest

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.keep import LONGEST_WAIT_SECONDS, Keep, wait_after
from tests.client import SECONDS_MAX


def leaving_with(code: int) -> Child:
    return Child(Launch([sys.executable, "-c", f"raise SystemExit({code})"]))


def sleeping() -> Child:
    return Child(Launch([sys.executable, "-c", "import time; time.sleep(60)"]))


def test_the_wait_doubles_up_to_a_limit() -> None:
    waits = [wait_after(failures) for failures in range(1, 12)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT_SECONDS


def test_a_child_that_left_is_started_again() -> None:
    keep = Keep()
    children = [leaving_with(1), sleeping()]
    first, second = children
    keep.start("it", lambda: children.pop(0))
    first.process.wait()
    deadline = time.monotonic() + SECONDS_MAX
    while not keep.tend():
        assert time.monotonic() < deadline
        keep.pause(0.01)
    assert keep.pids() == {"it": second.pid}
    keep.stop(["it"], 5)
    assert second.exit_code() == -15


def test_a_child_that_a_person_must_help_is_not_started_again() -> None:
    keep = Keep()
    child = keep.start("it", lambda: leaving_with(2))
    child.process.wait()
    with pytest.raises(StartError, match="it cannot start"):
        keep.tend()


def test_a_child_that_does_not_leave_is_killed() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)"
    keep = Keep()
    child = keep.start("deaf", lambda: Child(Launch([sys.executable, "-c", deaf])))
    keep.stop(["deaf"], 1)
    assert child.exit_code() in {-9, -15}
