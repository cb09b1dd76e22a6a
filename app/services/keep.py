"""Keeps child processes running: starts again what leaves, later and later if it keeps leaving."""

import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from app.services.child import Child
from app.services.errors import StartError

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
STEADY_SECONDS = 30.0
"""A child that ran this long is well again: its next failure is its first."""
CANNOT_START = 2
"""The exit code of a process that a person must help: starting it again would not."""

log = structlog.get_logger()


@dataclass
class Kept:
    """One child, and what is known of its health."""

    name: str
    launch: Callable[[], Child]
    child: Child = field(init=False)
    failures: int = 0
    started_at: float = 0.0
    again_at: float = 0.0

    def start(self, now: float) -> None:
        """Start it, for the first time or again."""
        self.child = self.launch()
        self.started_at, self.again_at = now, 0.0

    def tend(self, now: float) -> bool:
        """Look after it; whether it was started again."""
        if (code := self.child.exit_code()) is None:
            return False
        if not self.again_at:
            self._note_end(code, now)
        if now < self.again_at:
            return False
        self.start(now)
        return True

    def _note_end(self, code: int, now: float) -> None:
        if code == CANNOT_START:
            message = f"{self.name} cannot start; its last lines say why"
            raise StartError(message)
        self.failures = 0 if now - self.started_at > STEADY_SECONDS else self.failures + 1
        wait_seconds = wait_after(self.failures)
        self.again_at = now + wait_seconds
        log.warning("left", child=self.name, exit_code=code, again_in_seconds=wait_seconds)


class Keep:
    """The children of one supervisor, and its wish to stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._kept: list[Kept] = []

    def stop_on_signals(self) -> None:
        """Hear Ctrl-C, SIGTERM and a closed terminal; the last one not under `nohup`."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:
                signal.signal(number, lambda *_: self._stop.set())

    def stopped(self) -> bool:
        """Whether the wish to stop was heard."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the wish to stop."""
        self._stop.wait(seconds)

    def start(self, name: str, launch: Callable[[], Child]) -> Child:
        """Start a child, and look after it from now on."""
        kept = Kept(name, launch)
        kept.start(time.monotonic())
        self._kept.append(kept)
        return kept.child

    def tend(self) -> bool:
        """Start again whatever left and has waited; whether anything was."""
        again = [kept for kept in self._kept if kept.tend(time.monotonic())]
        return bool(again)

    def pids(self) -> dict[str, int]:
        """The process id of each child."""
        return {kept.name: kept.child.pid for kept in self._kept}

    def stop(self, names: Iterable[str], seconds_max: float) -> None:
        """Ask these children to leave, all at once, and see to it that they do."""
        children = [kept.child for kept in self._kept if kept.name in set(names)]
        for child in children:
            child.ask()
        deadline = time.monotonic() + seconds_max
        for child in children:
            child.stop(max(0.0, deadline - time.monotonic()))


def wait_after(failures: int) -> float:
    """How long to wait before the next start: doubled with each failure, up to a limit."""
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failures, 10))
