"""A run's figures are held against their bounds; what is past one is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.figures import figures_of


def fault(kind: str, back_ms: int | None) -> dict[str, Any]:
    over = None if back_ms is None else 2_000 + back_ms
    return {"kind": kind, "beginMs": 1_000, "endMs": 2_000, "recoveredMs": over}


def left(code: int, seconds: float) -> dict[str, Any]:
    return {"member": "worker-1", "code": code, "asked": "SIGTERM", "seconds": seconds}


def attempt(status: int | None, again: str | None = None) -> dict[str, Any]:
    told = {"number": 1, "channel": "http", "type": "PayOrder", "sentAtMs": 1_500}
    return {**told, "ack": "refused", "status": status, "retryAfter": again}


#   faults                              exits             attempts               missed
CASES: list[tuple[list[Any], list[Any], list[Any], int]] = [
    ([fault("worker_kill", 11_000)], [left(0, 20.0)], [], 0),
    ([fault("worker_kill", 11_001)], [], [], 1),
    ([fault("worker_kill", None)], [], [], 1),
    ([fault("broker_kill", 15_000), fault("broker_kill", 15_001)], [], [], 1),
    ([fault("slow_database", 60_000)], [], [], 0),
    ([], [left(0, 20.1), left(70, 1.0)], [], 2),
    ([fault("worker_term", 0)], [], [attempt(503, "1"), attempt(429, "5"), attempt(409)], 0),
    ([fault("worker_term", 0)], [], [attempt(503), attempt(500), attempt(None)], 3),
    ([fault("edge_kill", 0)], [], [attempt(None)], 0),
]


@pytest.mark.parametrize(("faults", "exits", "attempts", "missed"), CASES)
def test_what_is_past_its_bound_is_told(
    tmp_path: Path, faults: list[Any], exits: list[Any], attempts: list[Any], missed: int
) -> None:
    run = {"sessionTimeoutSeconds": 6, "faults": faults, "exits": exits, "stuck": []}
    (tmp_path / "run.json").write_text(json.dumps({**run, "lagSeconds": 0.1}))
    lines = "".join(json.dumps(each) + "\n" for each in attempts)
    (tmp_path / "history.jsonl").write_text(lines)
    assert len(figures_of(tmp_path).missed) == missed
