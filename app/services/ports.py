"""Free ports on the loopback address."""

import random
import socket
from contextlib import closing

# Below the range that Linux and macOS draw client ports from: a client that keeps trying a dead
# server's port inside that range can connect to itself, and then the server cannot come back.
LOWEST, HIGHEST = 20_000, 32_000


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody listens there, else a random free one."""
    candidates = (random.randint(LOWEST, HIGHEST) for _ in range(1000))  # noqa: S311
    for port in (preferred, *candidates) if preferred else candidates:
        if port_is_free("127.0.0.1", port):
            return port
    message = "no free port on 127.0.0.1"
    raise OSError(message)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As servers do: a port whose last connections still linger counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
