"""Free ports on the loopback address."""

import random
import socket
from contextlib import closing
from pathlib import Path

# Below the range that Linux and macOS draw client ports from: a client that keeps trying a dead
# server's port inside that range can connect to itself, and then the server cannot come back.
LOWEST, HIGHEST = 20_000, 32_000
# A server takes its time until it listens: so long its port looks free to whoever asks next.
_given: set[int] = set()


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody listens there, else a random free one, given to nobody else."""
    drawn = (random.randint(LOWEST, HIGHEST) for _ in range(1000))  # noqa: S311
    candidates = (port for port in drawn if port not in _given)
    for port in (preferred, *candidates) if preferred else candidates:
        if not why_not("127.0.0.1", port):
            _given.add(port)
            return port
    message = "no free port on 127.0.0.1"
    raise OSError(message)


def remembered_port(folder: Path) -> int:
    """The port that this folder's server had last time, if it is still free; else a new one."""
    port = free_port(noted_port(folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "port").write_text(str(port))
    return port


def noted_port(folder: Path) -> int:
    """The port that this folder's server had last time; 0 where none is noted, or half of one."""
    note = folder / "port"
    text = note.read_text() if note.exists() else ""
    return int(text) if text.isdecimal() and LOWEST <= int(text) <= HIGHEST else 0


def why_not(host: str, port: int) -> str:
    """Why no server can listen there now; empty when one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As servers do: a port whose last connections still linger counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
        return ""
