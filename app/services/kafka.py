"""One Kafka node in KRaft mode: broker and controller in one small Java process."""

import base64
import os
import secrets
from pathlib import Path

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.jars import KAFKA_VERSION, kafka_jars
from app.services.java import find_java
from app.services.ports import free_port
from app.services.service import exchange, last_words

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
# After kill -9 the node comes back only when its former self has timed out, 9 s by default.
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Nobody else is expected: a group's first member need not be kept waiting for others.
group.initial.rebalance.delay.ms=0
# A worker that was killed is noticed as soon as its own session timeout allows.
group.min.session.timeout.ms=1000
"""
LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
"""
# FindCoordinator, version 1, of the group "g": correlation id 1, no client id.
FIND_COORDINATOR = bytes.fromhex("0000000e 000a 0001 00000001 ffff 0001 67 00")


class Kafka:
    """Apache Kafka, kept in a data folder, listening on the loopback address alone."""

    name = "kafka"
    product = f"Apache Kafka {KAFKA_VERSION}"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.url = f"127.0.0.1:{port}"
        self.open_port = port
        self.format_words: tuple[str, ...] = ()
        self.log = folder / "kafka.log"

    def prepare(self) -> None:
        """Find Java and the jars, write the settings, and give a new data folder its ids."""
        self._java = find_java()
        self._class_path = os.pathsep.join(map(str, kafka_jars()))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self.properties())
        (self.folder / "log4j2.properties").write_text(LOGGING)
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def properties(self) -> str:
        """Return the settings of the node."""
        return PROPERTIES.format(port=self.port, controller_port=free_port())

    def launch(self) -> Child:
        """Start the broker."""
        command = [*self._program("512m"), "kafka.Kafka", self._properties.name]
        return Child(Launch(command, log=self.log, folder=self.folder))

    def answers(self) -> bool:
        """Whether it serves consumer groups, the last thing that it learns to do.

        On a new node the question also makes it create the topic that it keeps offsets in.
        """
        answer = exchange(self.open_port, FIND_COORDINATOR)
        # Size, correlation id and throttle time; then the error code, 0 for none.
        return answer[12:14] == b"\0\0"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _program(self, heap: str) -> list[str | Path]:
        # It works in its folder, and is told no path: Kafka splits them where a comma is.
        logging = "-Dlog4j2.configurationFile=log4j2.properties"
        # Java's second compiler costs more on a small machine than its code ever gives back.
        compiler = "-XX:TieredStopAtLevel=1"
        return [self._java, f"-Xmx{heap}", compiler, logging, "-cp", self._class_path]

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        # The command line of the tool would take a leading dash for an option.
        words = ["format", f"--cluster-id={cluster_id}", f"--config={self._properties.name}"]
        words += self.format_words
        tool = [*self._program("128m"), "kafka.tools.StorageTool", *words, "--ignore-formatted"]
        if Child(Launch(tool, log=self.log, folder=self.folder)).process.wait():
            message = f"Kafka's data folder cannot be made: {last_words(self.log)}"
            raise StartError(message)
