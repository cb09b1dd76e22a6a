"""A run that is killed leaves nothing behind, not even a process that was frozen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.installation import ROOT
from tests.processes import wait_until_dead

PROCESSES = 3 + 6
"""Servers, and processes of ours."""


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def test_a_run_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    words = ["--minutes", "5", "--rate", "5", "--fault", "clock_skew", "--folder", str(tmp_path)]
    with (tmp_path / "said").open("wb") as said:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", *words], cwd=ROOT, stdout=said, stderr=said
        )
    try:
        deadline = time.monotonic() + 200
        while not (tmp_path / "history.jsonl").exists():
            assert run.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, "the run does not begin"
            time.sleep(0.2)
        children = children_of(run.pid)
        assert len(children) == PROCESSES
        os.kill(children[-1], signal.SIGSTOP)
    finally:
        run.kill()
        run.wait()
    for child in children:
        wait_until_dead(child)
