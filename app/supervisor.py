"""`fairline run`: Kafka, an edge that also applies commands, and the ranking worker, kept up."""

import os
import sys

import click

from app.addresses import address_of, answers_ok, require_free, with_free_ports
from app.logs import configure_logs
from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.folder import FolderLock
from app.services.kafka import Kafka
from app.services.keep import Keep
from app.services.ports import remembered_port
from app.services.service import wait_until_answering
from app.settings import Settings
from app.tour import tour
from app.urls import without_password

# Together they stay below the ten seconds that a person is asked to wait after Ctrl-C.
PROCESSES_STOP_SECONDS = 6.0
KAFKA_STOP_SECONDS = 3.0


def supervise(settings: Settings) -> None:
    """Run everything in this data folder until Ctrl-C or SIGTERM."""
    configure_logs(settings.log_level, "run")
    lock = FolderLock.take(settings.data_dir)
    try:
        _Supervisor(with_free_ports(settings)).run()
    finally:
        lock.release()


class _Supervisor:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keep = Keep()
        self.environment = {
            **os.environ,
            "FAIRLINE_HTTP_PORT": str(settings.http_port),
            "FAIRLINE_WORKER_PORT": str(settings.worker_port),
            "FAIRLINE_RANKING_PORT": str(settings.ranking_port),
        }

    def run(self) -> None:
        # Before the signals are ours: Ctrl-C may end a download at once, there is no child yet.
        kafka = None if self.settings.kafka_url else self._prepared_kafka()
        self.keep.stop_on_signals()
        try:
            self._start(kafka)
            while not self.keep.stopped():
                self.keep.tend()
                self.keep.pause(0.25)
            click.echo("stopping")
        finally:
            # The processes leave Kafka's groups in order while Kafka is still there.
            self.keep.stop(["edge", "ranking"], PROCESSES_STOP_SECONDS)
            self.keep.stop(["kafka"], KAFKA_STOP_SECONDS)

    def _start(self, kafka: Kafka | None) -> None:
        if kafka is not None:
            child = self.keep.start(kafka.name, kafka.launch)
            # After a crash it reads its whole log first, and that may be a large one.
            wait_until_answering(kafka, child, 600, stopped=self.keep.stopped)
        self._introduce(kafka)
        self._run_to_its_end("migrate")
        if self.keep.stopped():
            return
        self.keep.start("edge", lambda: self._launch("edge", "--with-worker"))
        self.keep.start("ranking", lambda: self._launch("worker", "--kind", "ranking"))
        self._wait_until_ready()
        self._welcome()

    def _prepared_kafka(self) -> Kafka:
        require_free(self.settings, "kafka_port")
        folder = (self.settings.data_dir / "kafka").absolute()
        kafka = Kafka(folder, self.settings.kafka_port or remembered_port(folder))
        self.environment["FAIRLINE_KAFKA_URL"] = kafka.url
        kafka.prepare()
        return kafka

    def _introduce(self, kafka: Kafka | None) -> None:
        given = self.settings.kafka_url
        broker = f"{kafka.product} at {kafka.url}, data in {kafka.folder}" if kafka else given
        click.echo(f"broker    {broker}")
        click.echo(f"database  {self._database()}")

    def _database(self) -> str:
        url = without_password(self.settings.sqlalchemy_url)
        kind, _, place = url.partition("://")
        return f"SQLite, file {place[1:]}" if kind.startswith("sqlite") else url

    def _launch(self, *words: str) -> Child:
        command = [sys.executable, "-P", "-m", "app.cli", *words]
        return Child(Launch(command, environment=self.environment))

    def _run_to_its_end(self, word: str) -> None:
        child = self._launch(word)
        while (code := child.exit_code()) is None and not self.keep.stopped():
            self.keep.tend()
            self.keep.pause(0.05)
        child.stop(1.0)
        if code:
            message = f"`fairline {word}` failed; its last lines say why"
            raise StartError(message)

    def _wait_until_ready(self) -> None:
        ports = ("http_port", "ranking_port")
        urls = [address_of(self.settings, port) + "/readyz" for port in ports]
        while not self.keep.stopped() and not all(answers_ok(url) for url in urls):
            self.keep.tend()
            self.keep.pause(0.2)

    def _welcome(self) -> None:
        url = address_of(self.settings, "http_port")
        seeded = self.settings.data_dir / "seeded"
        is_new = not seeded.exists()
        if is_new and not self.keep.stopped():
            self._run_to_its_end("seed")
        if self.keep.stopped():
            return
        if is_new:
            seeded.touch()
            click.echo(tour(url, self.settings.data_dir))
        shown = "a browser shows the best sellers there, `fairline tour` what to type"
        click.echo(f"ready at {url}; {shown}; Ctrl-C stops it")
