"""What a run has found, as one file of JSON and as the page that shows it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import goals, tables
from benchmarks.goals import Verdict
from benchmarks.machine import ROOT, Circumstances
from benchmarks.ratios import Figures
from benchmarks.rounds import Round

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
"""Pictures and JSON of the published report."""
MARKS = "<!-- {name}: begin -->", "<!-- {name}: end -->"
JSON = "report.json"


class PartFound(msgspec.Struct):
    """What another part of the benchmark says: its figures, its lines for the page, its JSON."""

    name: str
    figures: Figures
    markdown: str
    result: msgspec.Raw


class Report(msgspec.Struct):
    """All that a run has found."""

    circumstances: Circumstances
    plan: str
    figures: Figures
    rounds: list[Round]
    parts: list[PartFound] = []
    verdicts: list[Verdict] = []
    missing: dict[str, str] = {}
    """Parts that were asked for and say nothing, with the reason."""
    part_faults: list[str] = []

    def faults(self) -> list[str]:
        """Everything that did not bear checking."""
        of_rounds = [
            f"{each.work}, {each.side}, {each.connections} connections, round {each.number}:"
            f" {fault}"
            for each in self.rounds
            for fault in each.faults
        ]
        return of_rounds + self.part_faults


def page(report: Report, pictures: Sequence[str] = ()) -> str:
    """The report as Markdown, for a terminal and for the page alike."""
    around = [*report.circumstances.lines(), *tables.circumstances_of(report.rounds)]
    shown = {part.name: part.markdown for part in report.parts}
    if report.rounds:
        shown = {"closed_loop": tables.closed_loop(report.rounds), **shown}
    blocks = ["\n".join(around), "### The goals", goals.table(report.verdicts)]
    for name, markdown in shown.items():
        blocks += [f"### {name.replace('_', ' ').capitalize()}", *_pictures(name, pictures)]
        blocks.append(markdown)
    blocks += [f"*{name}*: not in this report: {why}." for name, why in report.missing.items()]
    return "\n\n".join(blocks)


def _pictures(name: str, pictures: Sequence[str]) -> list[str]:
    """Those of a part: their files begin with its name."""
    return [f"![{Path(p).stem}]({p})" for p in pictures if Path(p).stem.startswith(name)]


def write_json(report: Report, folder: Path) -> Path:
    """Write everything that was found."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / JSON
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return file


def publish(text: str, name: str = "bench", page: Path = PAGE) -> None:
    """Put a report between the marks of a page; ValueError where it has none of this name."""
    begin, end = (mark.format(name=name) for mark in MARKS)
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        message = f"{page.name} has no marks {begin} and {end}"
        raise ValueError(message)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
