"""The report of a run: its numbers, its picture, and a page that needs nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.chaos.checker.evidence import Fault
from tests.chaos.report import write_report
from tests.chaos.report.measures import Json, percentiles, recoveries_of
from tests.chaos.sample.folder import Folder
from tests.chaos.sample.run import write_sample
from tests.house import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample")
    write_sample(made)
    assert write_report(made).exit_code == 0
    return made


@pytest.fixture(scope="module")
def told(folder: Path) -> Json:
    said: Json = json.loads((folder / "report.json").read_text())
    return said


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def history_lines(folder: Path) -> list[str]:
    return (folder / "history.jsonl").read_text().splitlines()


def test_the_numbers_are_those_of_the_history(folder: Path, told: Json) -> None:
    history = [json.loads(line) for line in history_lines(folder)]
    attempts = [line for line in history if line["type"] not in ("Ask", "Poison")]
    assert told["counts"]["attempts"] == len(attempts)
    assert told["verdict"] == {
        "violations": 0,
        "countsAsRun": True,
        "shortcomings": [],
        "rules": [],
    }
    throughput = told["throughput"]
    assert throughput["stepSeconds"] == 1
    assert len(throughput["offeredPerSecond"]) == int(told["run"]["seconds"])
    run = json.loads((folder / "run.json").read_text())
    first = [a for a in attempts if 0 <= a["sentAtMs"] - run["startedAtMs"] < 1_000]
    assert throughput["offeredPerSecond"][0] == len(first)
    acknowledged = [a for a in first if a["ack"] == "acknowledged"]
    assert throughput["acknowledgedPerSecond"][0] == len(acknowledged)


def test_latencies_are_apart_by_the_faults_windows(told: Json) -> None:
    outside, inside = (told["latencies"][n] for n in ("outsideFaults", "insideFaults"))
    assert outside["answers"] > inside["answers"] > 50
    assert 5 <= outside["p50"] <= outside["p90"] <= outside["p99"] <= outside["max"] <= 95
    over_time = told["latencyOverTime"]
    assert max(filter(None, over_time["max"])) == max(outside["max"], inside["max"])


def test_requests_that_wait_end_at_none(told: Json) -> None:
    waiting = told["inFlight"]["requests"]
    assert min(waiting) >= 0
    assert max(waiting) > 0
    assert waiting[-1] == 0


def test_recoveries_are_summed_up_by_kind() -> None:
    faults = (
        Fault("kill", "a", 0, 0, 2_000),
        Fault("kill", "b", 10_000, 10_000, 16_000),
        Fault("kill", "c", 20_000, 20_000, None),
        Fault("stop", "a", 30_000, 40_000, 39_000),
    )
    assert [tuple(each.values()) for each in recoveries_of(faults)] == [
        ("kill", 3, 2, 4.0, 6.0),
        ("stop", 1, 1, 0, 0),
    ]


#    values               p50   p90   p99   max
PERCENTILES = [
    ([], (None, None, None, None)),
    ([7], (7, 7, 7, 7)),
    ([4, 1, 3, 2], (2, 4, 4, 4)),
    (list(range(1, 1001)), (500, 900, 990, 1000)),
]


@pytest.mark.parametrize(("values", "expected"), PERCENTILES)
def test_percentiles_are_values_that_were_measured(
    values: list[int], expected: tuple[int | None, ...]
) -> None:
    found = percentiles(values)
    assert found.pop("answers") == len(values)
    assert tuple(found.values()) == expected


def test_the_page_needs_nothing_else(page: str) -> None:
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "url(http" not in page
    assert "<script" not in page


def test_the_page_tells_verdict_seed_and_how_to_run_it_again(page: str, told: Json) -> None:
    assert '<h1 class="well">0 violations</h1>' in page
    assert "seed 1: <code>make chaos SEED=1</code>" in page
    for heading in ("Recoveries", "HTTP latency, ms", "Counts", "Faults"):
        assert f"<h2>{heading}</h2>" in page
    assert f"<td class=number>{told['counts']['attempts']:,}</td>" in page
    assert "<td>worker_kill</td><td>worker 2</td>" in page


def test_the_picture_is_drawn_with_the_faults_marked(page: str) -> None:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found is not None
    drawing = ElementTree.fromstring(found[0])
    words = {
        "".join(node.itertext()).strip() for node in drawing.iter() if node.tag.endswith("text")
    }
    assert {"acknowledged", "offered", "p50", "p99", "worker_kill", "broker_kill"} <= words
    # Each of the two faults is a span in three panels and two bars in its lane.
    colours = [found[0].count(f"fill: {colour}") for colour in ("#d62728", "#9467bd")]
    assert colours == [5, 5]


def test_violations_are_told_by_their_rule(folder: Path, tmp_path: Path) -> None:
    copy = Folder(folder, tmp_path / "copy")
    copy.change("database/wallets", lambda _: True, lambda line: {"balance": line["balance"] + 1})
    for name in ("report.html", "report.json"):
        (copy.path / name).unlink()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos.report", str(copy.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    rules = json.loads((copy.path / "report.json").read_text())["verdict"]["rules"]
    assert [(each["rule"], each["violations"], len(each["first"])) for each in rules] == [
        ("balances_are_the_sums_of_entries", 40, 20)
    ]
    page = (copy.path / "report.html").read_text()
    assert '<h1 class="ill">40 violations</h1>' in page
    assert "balances_are_the_sums_of_entries: 40" in page


def test_evidence_that_cannot_be_read_has_a_report_too(tmp_path: Path) -> None:
    assert write_report(tmp_path).exit_code == 2
    page = (tmp_path / "report.html").read_text()
    assert '<h1 class="ill">0 violations; the run does not count</h1>' in page
    assert "run.json" in page
