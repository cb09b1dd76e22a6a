"""Writes `kafka_tools.txt`: Kafka's own perf tools, which the broker does without.

What they need besides is pinned with the broker.
"""

from pathlib import Path

from app.services.jars import KAFKA_VERSION
from app.services.pin import pin

ARTIFACT = "kafka-tools"
PINS = Path(__file__).with_name("kafka_tools.txt")


if __name__ == "__main__":
    pin(f"org.apache.kafka:{ARTIFACT}:{KAFKA_VERSION}", PINS, ARTIFACT)
