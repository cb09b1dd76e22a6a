"""Kafka's own jars: fetched once with jgo, checked against pinned checksums, kept for all."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.services.errors import StartError, one_line

if TYPE_CHECKING:
    from jgo.maven import MavenContext

KAFKA_VERSION = "4.1.1"
PINS = Path(__file__).with_name("kafka_jars.txt")
Advance = Callable[[int], None]
WAY_OUT = "or set FAIRLINE_KAFKA_URL to a Kafka that runs already"


@dataclass(frozen=True)
class Jar:
    """One pinned file of a Maven repository."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The name it is kept under."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars(pins: Path = PINS) -> list[Jar]:
    """The jars of a Kafka broker, or of another list, as written down by `make lock`."""
    return [_pinned(*line.split()) for line in pins.read_text().splitlines()]


def _pinned(name: str, size: str, sha256: str) -> Jar:
    group, artifact, version = name.split(":")
    return Jar(group, artifact, version, int(size), sha256)


def kafka_jars(pins: Path = PINS) -> list[Path]:
    """The class path of Kafka; what is missing is downloaded, with its progress shown."""
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    jars = pinned_jars(pins)
    missing = [jar for jar in jars if not _is_whole(folder / jar.file_name, jar)]
    if missing:
        fetch(missing, folder)
    return [folder / jar.file_name for jar in jars]


def cache_folder() -> Path:
    """Where downloads are kept for every checkout of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fairline"


def fetch(jars: list[Jar], folder: Path, repository: str | None = None) -> None:
    """Download, check and only then put in place, so that no torn file is ever found there.

    The repository is a Maven repository's URL; None: the central one.
    """
    # Imported here: it brings in an HTTP client, for one download in a machine's life.
    from jgo.maven import MavenContext  # noqa: PLC0415

    repositories = {"ours": repository} if repository else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as torn, _progress(jars) as advance:
            maven = MavenContext(repo_cache=Path(torn), remote_repos=repositories, timeout=30)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda jar: _fetch_one(jar, folder, maven, advance), jars))
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo's are not.
        message = f"Kafka's jars cannot be downloaded ({one_line(error)}): try again, {WAY_OUT}"
        raise StartError(message) from error


def _fetch_one(jar: Jar, folder: Path, maven: "MavenContext", advance: Advance) -> None:
    component = maven.project(jar.group, jar.artifact).at_version(jar.version)
    file = component.artifact().resolve()
    if hashlib.sha256(file.read_bytes()).hexdigest() != jar.sha256:
        message = f"{jar.file_name} is not the file that was pinned"
        raise RuntimeError(message)
    file.replace(folder / jar.file_name)
    advance(jar.size)


def _is_whole(file: Path, jar: Jar) -> bool:
    return file.exists() and file.stat().st_size == jar.size


@contextmanager
def _progress(jars: list[Jar]) -> Iterator[Advance]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415

    size = sum(jar.size for jar in jars)
    console = Console(stderr=True)
    console.print(f"fetching Kafka {KAFKA_VERSION}, once: {len(jars)} jars, {size >> 20} MB")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("jars", total=size)
        yield lambda size: progress.advance(task, size)
