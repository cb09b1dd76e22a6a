"""Writes `kafka_jars.txt`: the exact files that make up the Kafka of jars.KAFKA_VERSION."""

import hashlib

import jgo

from app.services.jars import KAFKA_VERSION, PINS

# The exclamation mark: only Kafka itself may decide about versions of what both depend on.
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
)


def main() -> None:
    """Resolve the jars anew and write down each one's name, size and checksum."""
    rows = []
    for artifact in sorted(jgo.resolve(COORDINATES), key=str):
        content = artifact.resolve().read_bytes()
        name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        rows.append(f"{name} {len(content)} {hashlib.sha256(content).hexdigest()}\n")
    PINS.write_text("".join(rows))


if __name__ == "__main__":
    main()
