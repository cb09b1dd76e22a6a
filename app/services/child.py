"""One child process: its own log file, no orphan when we are killed, a bounded stop."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True)
class Launch:
    """What to start: a command, and how it lives and dies."""

    command: Sequence[str | Path]
    log: Path | None = None
    """Where its output goes; None: where ours goes."""
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    """Where it works; None: where we do."""
    user: int | None = None
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when we die; a server that needs a moment gets a softer one."""


class Child:
    """A running child process, in a process group of its own (Ctrl-C is ours to pass on)."""

    def __init__(self, launch: Launch) -> None:
        # The kernel ties a child to the thread that forked it: a short-lived thread would
        # take its children with it.
        assert threading.current_thread() is threading.main_thread(), "fork on the main thread"
        self._pipe: tuple[int, ...] = () if sys.platform == "linux" else os.pipe()
        self.process = _start(launch, self._pipe)
        self._asked = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def exit_code(self) -> int | None:
        """The exit code, or None while it runs; negative: the signal that ended it."""
        return self.process.poll()

    def stop(self, seconds_max: float) -> None:
        """Ask it to leave, wait, then kill it. Nothing is done to one that left already."""
        self.ask()
        try:
            self.process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for end in self._pipe:
            os.close(end)
        self._pipe = ()

    def ask(self) -> None:
        """Ask it, once, to leave; without waiting."""
        if not self._asked:
            self.process.send_signal(signal.SIGTERM)
        self._asked = True


def _start(launch: Launch, pipe: tuple[int, ...]) -> subprocess.Popen[bytes]:
    mode = str(pipe[0]) if pipe else "kernel"
    user = "-" if launch.user is None else str(launch.user)
    words = [sys.executable, "-I", "-S", TETHER, mode, str(int(launch.death_signal)), user]
    command = [str(word) for word in (*words, str(os.getpid()), *launch.command)]
    if launch.log is None:
        return _popen(command, launch, pipe, None)
    with launch.log.open("ab") as output:
        return _popen(command, launch, pipe, output.fileno())


def _popen(
    command: list[str], launch: Launch, pipe: tuple[int, ...], output: int | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        cwd=launch.folder,
        env=None if launch.environment is None else dict(launch.environment),
        pass_fds=pipe[:1],
        start_new_session=True,
    )
