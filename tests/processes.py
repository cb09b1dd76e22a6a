"""Whether processes are alive, for tests of what dies with what."""

import subprocess
import time

from tests.client import SECONDS_MAX


def is_alive(pid: int) -> bool:
    """A zombie is dead: only its parent has not heard of it."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return state.stdout[:1] not in {b"", b"Z"}


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlives its parent"
        time.sleep(0.02)
