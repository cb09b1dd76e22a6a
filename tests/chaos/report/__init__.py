"""The report of a run, from its evidence: `report.json` for programs, `report.html` for people."""

import json
from pathlib import Path

from tests.chaos.checker import Verdict
from tests.chaos.checker.evidence import Evidence
from tests.chaos.checker.files import EvidenceError
from tests.chaos.checker.verdict import check, judge
from tests.chaos.report.measures import Json, measures_of, verdict_of
from tests.chaos.report.page import page_of
from tests.chaos.report.picture import picture_of

__all__ = ["write_report"]


def write_report(folder: Path) -> Verdict:
    """Check a run and write both reports into its folder; return the verdict."""
    try:
        evidence = Evidence(folder)
    except EvidenceError:
        verdict = check(folder)
        _write(folder, {"verdict": verdict_of(verdict)}, "")
        return verdict
    try:
        verdict = judge(evidence)
        told = {"verdict": verdict_of(verdict), "counts": verdict.counts, **measures_of(evidence)}
    finally:
        evidence.close()
    _write(folder, told, picture_of(told))
    return verdict


def _write(folder: Path, told: Json, picture: str) -> None:
    (folder / "report.json").write_text(json.dumps(told, indent=1))
    (folder / "report.html").write_text(page_of(told, picture))
