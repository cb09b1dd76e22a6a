"""CPU time of process trees, from /proc; on a machine without it nothing is known."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(part_to_pid: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds that each part has used so far: its process, all below it, and its dead."""
    if not (PROC / "self" / "stat").exists():
        return {}
    own, children = _all_processes()
    return {part: _tree(pid, own, children) for part, pid in part_to_pid.items()}


def foreign_seconds() -> float:
    """CPU seconds that all but this process and its children have had so far, stolen ones too.

    Only the difference of two readings means anything. What was started for a run is below us.
    """
    if not (PROC / "stat").exists():
        return 0.0
    user, nice, system, _, _, _, _, steal = (
        int(word) for word in (PROC / "stat").read_text().split(maxsplit=9)[1:9]
    )
    everybody = (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")
    return everybody - cpu_seconds({"us": os.getpid()})["us"]


def _all_processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    own: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    tick = os.sysconf("SC_CLK_TCK")
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in brackets, may hold blanks; the fields are counted after it.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has just left.
        # User and system time, its own and of the children that it has buried.
        own[int(entry.name)] = sum(map(int, fields[11:15])) / tick
        children[int(fields[1])].append(int(entry.name))
    return own, children


def _tree(pid: int, own: Mapping[int, float], children: Mapping[int, list[int]]) -> float:
    below = sum(_tree(child, own, children) for child in children.get(pid, ()))
    return own.get(pid, 0.0) + below
