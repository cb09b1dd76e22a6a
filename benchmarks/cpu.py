"""CPU time and memory of process trees, from /proc; on a machine without it nothing is known."""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(part_to_pid: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds that each part has used so far: its process, all below it, and its dead."""
    tick = os.sysconf("SC_CLK_TCK")
    # User and system time, its own and of the children that it has buried.
    return _of_parts(part_to_pid, lambda fields: sum(map(int, fields[11:15])) / tick)


def resident_bytes(part_to_pid: Mapping[str, int]) -> dict[str, float]:
    """Memory that each part has at hand (resident set): its process and all below it."""
    page = os.sysconf("SC_PAGE_SIZE")
    return _of_parts(part_to_pid, lambda fields: int(fields[21]) * page)


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


def _of_parts(
    part_to_pid: Mapping[str, int], take: Callable[[Sequence[str]], float]
) -> dict[str, float]:
    if not (PROC / "self" / "stat").exists():
        return {}
    own, children = _all_processes(take)
    return {part: _tree(pid, own, children) for part, pid in part_to_pid.items()}


def _all_processes(
    take: Callable[[Sequence[str]], float],
) -> tuple[dict[int, float], dict[int, list[int]]]:
    own: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in brackets, may hold blanks; the fields are counted after it.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has just left.
        own[int(entry.name)] = take(fields)
        children[int(fields[1])].append(int(entry.name))
    return own, children


def _tree(pid: int, own: Mapping[int, float], children: Mapping[int, list[int]]) -> float:
    below = sum(_tree(child, own, children) for child in children.get(pid, ()))
    return own.get(pid, 0.0) + below
