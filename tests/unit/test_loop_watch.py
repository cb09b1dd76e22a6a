"""A blocked event loop ends its process and says where it stood; a frozen process does not."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.loop_watch import LoopWatch
from tests.house import ROOT

SCRIPT = """
import asyncio, fcntl, os, signal, time
from streams.loop_watch import LoopWatch

def dig_a_hole(*_):
    time.sleep(600)

def fill_the_log(*_):
    os.write(2, b"x" * fcntl.fcntl(2, fcntl.F_GETPIPE_SZ))
    os.write(2, b"one more")

async def main():
    signal.signal(signal.SIGUSR1, dig_a_hole)
    signal.signal(signal.SIGUSR2, fill_the_log)
    with LoopWatch(asyncio.get_running_loop(), round_seconds=0.05, rounds_max=20):
        while True:
            print("round", flush=True)
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


@contextmanager
def watched() -> Iterator[subprocess.Popen[str]]:
    """A process with a watched loop, that is blocked by SIGUSR1 and SIGUSR2."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            hear_rounds(process, 1)
            yield process
        finally:
            process.kill()


def hear_rounds(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    for _ in range(number):
        assert process.stdout.readline() == "round\n"


def test_a_process_whose_loop_is_blocked_leaves_and_says_where_it_stood() -> None:
    with watched() as process:
        process.send_signal(signal.SIGUSR1)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 70
    assert "in dig_a_hole" in said


def test_a_process_that_is_blocked_by_its_own_log_leaves_without_a_word() -> None:
    with watched() as process:
        process.send_signal(signal.SIGUSR2)
        assert process.wait(30) == 70


def test_a_process_that_was_frozen_goes_on() -> None:
    with watched() as process:
        process.send_signal(signal.SIGSTOP)
        # Twice what a blocked loop is given.
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
        hear_rounds(process, 60)
        assert process.poll() is None


async def test_a_loop_that_comes_round_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    with LoopWatch(asyncio.get_running_loop(), said.append, round_seconds=0.1, rounds_max=6):
        # Twice as long as it may stand still. On a busy machine one of the two threads may go on
        # for a while before the other gets its turn: that is half a second before the first word.
        for _ in range(120):
            await asyncio.sleep(0.01)
    assert (said, caplog.messages) == ([], [])


async def test_nobody_is_watched_after_the_end() -> None:
    with LoopWatch(asyncio.get_running_loop(), round_seconds=0.01) as watch:
        assert watch._thread in threading.enumerate()
    await asyncio.to_thread(watch._thread.join, 10)
    assert not watch._thread.is_alive()
