"""A thread that sees an event loop stand still, says where, and ends the process.

A loop that is blocked answers nobody who asks for its health, and hears no signal either. Rounds
of the own thread are counted, never the clock: a process that was frozen has missed none.
"""

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from streams.leave import FATAL_STATUS, leave
from streams.metrics import LOOP_DELAY, STALLS

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
# Nothing of ours keeps a loop for a second. A process that is blocked is seen and gone within
# 30 s; sooner would take a machine that is short of processor time for one that stands still.
ROUNDS_MAX = 20
# The first word of it, for whoever looks for what blocks a loop now and then.
ROUNDS_WARN = 5
# Where writing the log is what blocks, the process has to end without having said why.
LAST_WORDS_SECONDS_MAX = 3.0


def leave_soon(why: str) -> None:
    """Leave, even if the log takes no line any more."""
    late = threading.Timer(LAST_WORDS_SECONDS_MAX, os._exit, (FATAL_STATUS,))
    late.daemon = True
    late.start()
    leave(why)


class LoopWatch:
    """Watches the loop that runs in the thread where it is made, while its block runs."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        leave: Callable[[str], None] = leave_soon,
        *,
        round_seconds: float = ROUND_SECONDS,
        rounds_max: int = ROUNDS_MAX,
    ) -> None:
        self._loop = loop
        self._leave = leave
        self._round_seconds = round_seconds
        self._rounds_max = rounds_max
        self._rounds_still = 0
        self._asked_at = 0.0
        self._has_answered = True
        self._thread_id = threading.get_ident()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)

    def __enter__(self) -> "LoopWatch":
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Watch no longer."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._round_seconds):
            if self._has_answered:
                self._ask()
            else:
                self._note_still()

    def _ask(self) -> None:
        self._rounds_still, self._has_answered = 0, False
        self._asked_at = time.monotonic()
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            # The loop was closed, so there is nothing to watch any more.
            self._stopping.set()

    def _answer(self) -> None:
        LOOP_DELAY.observe(time.monotonic() - self._asked_at)
        self._has_answered = True

    def _note_still(self) -> None:
        self._rounds_still += 1
        if self._rounds_still == self._rounds_max:
            self._leave(f"the event loop stands still:\n{self._where()}")
        elif self._rounds_still == ROUNDS_WARN:
            STALLS.labels("loop").inc()
            warning = ("the event loop has stood still for a while:\n%s", self._where())
            # The log may be what it stands at, and this thread must not stand there too.
            threading.Thread(target=log.warning, args=warning, daemon=True).start()

    def _where(self) -> str:
        """Return what the loop's thread is doing, as a stack."""
        frame = sys._current_frames().get(self._thread_id)
        return "".join(traceback.format_stack(frame)) if frame else "its thread has ended"
