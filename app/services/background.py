"""`fairline services`: Kafka, PostgreSQL and Valkey, held by one process in the background."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from app.logs import configure_logs
from app.services.errors import StartError
from app.services.folder import FolderLock, holder
from app.services.jars import kafka_jars
from app.services.java import find_java
from app.services.kafka import Kafka
from app.services.keep import Keep
from app.services.ports import remembered_port
from app.services.postgres import Postgres
from app.services.service import Service, last_words, wait_until_answering
from app.services.valkey import Valkey

KINDS = (Kafka, Postgres, Valkey)
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 15.0


@dataclass(frozen=True)
class Running:
    """One service as `status` shows it."""

    name: str
    product: str
    url: str
    pid: int


def up(folder: Path) -> list[Running]:
    """Start all three in the background and wait until they answer; no change if they do."""
    if holder(folder) is None:
        # Here, where a person sees the progress of a download and the reason of a failure.
        find_java()
        kafka_jars()
        _start_holder(folder)
    _wait_for_note(folder)
    return status(folder)


def down(folder: Path) -> bool:
    """Stop them and wait until all are gone; False when nothing was running."""
    if not (pid := holder(folder)):
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while holder(folder) == pid and time.monotonic() < deadline:
        time.sleep(0.05)
    if holder(folder) == pid:  # Its children are tied to it: they go with it.
        os.kill(pid, signal.SIGKILL)
    return True


def status(folder: Path) -> list[Running]:
    """What runs in this folder now; empty when nothing does."""
    note = folder / "services.json"
    if holder(folder) is None or not note.exists():
        return []
    return [Running(**row) for row in json.loads(note.read_text())]


def hold(folder: Path) -> None:
    """Run the three services until SIGTERM: what the background process does."""
    lock = FolderLock.take(folder)
    keep = Keep()
    keep.stop_on_signals()
    try:
        services = _start_all(folder, keep)
        _write_note(folder, services, keep)
        while not keep.stopped():
            if keep.tend():
                _write_note(folder, services, keep)
            keep.pause(0.25)
    finally:
        (folder / "services.json").unlink(missing_ok=True)
        keep.stop([kind.name for kind in KINDS], STOP_SECONDS_MAX - 5)
        lock.release()


def _start_all(folder: Path, keep: Keep) -> list[Service]:
    services: list[Service] = []
    for kind in KINDS:
        own_folder = folder / kind.name
        services.append(kind(own_folder, remembered_port(own_folder)))
        services[-1].prepare()
    children = [keep.start(each.name, each.launch) for each in services]
    for service, child in zip(services, children, strict=True):
        wait_until_answering(service, child, stopped=keep.stopped)
    return services


def _write_note(folder: Path, services: list[Service], keep: Keep) -> None:
    pids = keep.pids()
    rows = [Running(each.name, each.product, each.url, pids[each.name]) for each in services]
    new = folder / "services.json.new"
    new.touch(mode=0o600)  # It holds the database's password.
    new.write_text(json.dumps([asdict(row) for row in rows]))
    new.replace(folder / "services.json")


def _start_holder(folder: Path) -> None:
    FolderLock.take(folder).release()  # Says what is wrong with the folder, if anything is.
    (folder / "services.json").unlink(missing_ok=True)
    with (folder / "services.log").open("wb") as log:
        holding = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "app.services.background", folder.absolute()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while holder(folder) is None:
        if holding.poll() is not None:
            raise StartError(last_words(folder / "services.log"))
        time.sleep(0.02)


def _wait_for_note(folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not (folder / "services.json").exists():
        if holder(folder) is None:
            raise StartError(last_words(folder / "services.log"))
        if time.monotonic() > deadline:
            message = f"the services are not up in {START_SECONDS_MAX:.0f} s (see {folder})"
            raise StartError(message)
        time.sleep(0.05)


if __name__ == "__main__":
    configure_logs("INFO", "services")
    try:
        hold(Path(sys.argv[1]))
    except StartError as error:
        sys.exit(str(error))
