"""What clients saw, one JSON line per attempt, written as it happens."""

import json
from pathlib import Path
from typing import Any


class History:
    """The file of all attempts, and their counts."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)
        self.counts = {"acknowledged": 0, "refused": 0, "unknown": 0}
        self.succeeded = 0

    def write(self, line: dict[str, Any]) -> None:
        """Add one attempt, with all that is known of it."""
        full = {
            "commandId": None,
            "idempotencyKey": None,
            "retryOf": None,
            "doneAtMs": None,
            "status": None,
            "body": None,
            "place": None,
            **line,
        }
        if "ack" in full:
            self.counts[full["ack"]] += 1
            self.succeeded += full["ack"] == "acknowledged"
        self._file.write(json.dumps(full) + "\n")

    def flush(self) -> None:
        """Bring everything to the file."""
        self._file.flush()

    def close(self) -> None:
        """Nothing is written after this."""
        self._file.close()
