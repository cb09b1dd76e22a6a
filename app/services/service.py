"""What the three servers have in common: one that can be prepared, launched and asked."""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from app.services.child import Child
from app.services.errors import StartError


class Service(Protocol):
    """A server that we run as a child process in a data folder."""

    name: str
    product: str
    url: str
    log: Path

    def prepare(self) -> None:
        """Make its data folder ready for a start; done again it changes nothing."""

    def launch(self) -> Child:
        """Start the process; it may not answer yet."""

    def answers(self) -> bool:
        """Whether it serves requests now."""


def wait_until_answering(
    service: Service,
    child: Child,
    seconds_max: float = 60.0,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Return when it serves; StartError with its log's last line if it leaves or is too slow."""
    deadline = time.monotonic() + seconds_max
    while not service.answers() and not stopped():
        if (code := child.exit_code()) is not None:
            message = f"{service.product} left with {code}: {last_words(service.log)}"
            raise StartError(message)
        if time.monotonic() > deadline:
            message = f"{service.product} does not answer in {seconds_max:.0f} s: {service.log}"
            raise StartError(message)
        time.sleep(0.05)


def last_words(log: Path) -> str:
    """The last line of a log that says something, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    spoken = [line for line in lines if line.strip()] or ["it said nothing"]
    return f"{spoken[-1].strip()[:200]} (see {log})"


def exchange(port: int, request: bytes) -> bytes:
    """Send a few bytes to a loopback port, and read what comes back at once; b"" if nothing."""
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=2)) as connection:
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""
