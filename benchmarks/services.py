"""The real services of a run: those that the environment names, else children in a folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from app.services.child import Child
from app.services.kafka import Kafka
from app.services.ports import free_port
from app.services.postgres import Postgres
from app.services.service import Service, wait_until_answering
from app.services.valkey import Valkey

KINDS: tuple[tuple[str, str, type[Kafka | Postgres | Valkey]], ...] = (
    ("broker", "FAIRLINE_KAFKA_URL", Kafka),
    ("database", "FAIRLINE_DATABASE_URL", Postgres),
    ("cache", "FAIRLINE_REDIS_URL", Valkey),
)
STOP_SECONDS = 20.0


@dataclass
class Services:
    """Where the services are, and the processes of those that we started."""

    urls: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)


@contextmanager
def work_folder(keep: bool) -> Iterator[Path]:
    """Where services and logs live; gone afterwards, unless somebody wants to read the logs."""
    folder = Path(tempfile.mkdtemp(prefix="fairline-bench-work-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"the logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def real_services(folder: Path) -> Iterator[Services]:
    """Kafka, PostgreSQL and Valkey until the end of the block."""
    services = Services()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as started:
        for part, variable, kind in KINDS:
            if url := os.environ.get(variable):
                services.urls[part], services.products[part] = url, f"{part} as given"
                continue
            service = kind(folder / kind.name, free_port())
            child = _start(service, started)
            services.urls[part], services.pids[part] = service.url, child.pid
            services.products[part] = service.product
        yield services


def _start(service: Service, started: ExitStack) -> Child:
    service.prepare()
    child = service.launch()
    started.callback(child.stop, STOP_SECONDS)
    wait_until_answering(service, child)
    return child


def driver_url(url: str) -> str:
    """Return PostgreSQL's URL as SQLAlchemy takes it, by asyncpg."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def with_path(url: str, path: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))
