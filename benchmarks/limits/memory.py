"""Memory that a process holds alone (unique set): what one process more would cost."""

import re
from collections.abc import Mapping
from pathlib import Path

PRIVATE = re.compile(r"^Private_\w+:\s+(\d+) kB$", re.MULTILINE)


def unshared_bytes(part_to_pid: Mapping[str, int]) -> dict[str, float]:
    """By part; without those that nobody may look into, or that have left."""
    found = {}
    for part, pid in part_to_pid.items():
        try:
            rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found[part] = sum(map(float, PRIVATE.findall(rolled))) * 1024
    return found
