"""Writes `kafka_jars.txt`: the exact files that make up the Kafka of jars.KAFKA_VERSION."""

import hashlib
from pathlib import Path

import jgo

from app.services.jars import KAFKA_VERSION, PINS

# The exclamation mark: only Kafka itself may decide about versions of what both depend on.
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
)


def pin(coordinates: str, pins: Path, only: str = "") -> None:
    """Resolve jars anew and write down each one's name, size and checksum; perhaps of one only."""
    rows = []
    for artifact in sorted(jgo.resolve(coordinates), key=str):
        if only not in ("", artifact.artifactId):
            continue
        content = artifact.resolve().read_bytes()
        name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        rows.append(f"{name} {len(content)} {hashlib.sha256(content).hexdigest()}\n")
    pins.write_text("".join(rows))


def main() -> None:
    """Pin what a broker consists of."""
    pin(COORDINATES, PINS)


if __name__ == "__main__":
    main()
