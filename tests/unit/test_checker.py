"""The checker stands alone, finds nothing wrong in what is right, and says nothing of nothing."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.checker import check, verdict
from tests.chaos.checker.evidence import Fault
from tests.chaos.checker.reading import Readers
from tests.chaos.checker.worth import is_within, windows_of
from tests.chaos.sample.folder import Folder
from tests.chaos.sample.run import write_sample
from tests.house import ROOT

CHECKER = ROOT / "tests" / "chaos" / "checker"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


def test_the_checker_names_only_the_standard_library_and_itself() -> None:
    own = {file.stem for file in CHECKER.glob("*.py")}
    for file in CHECKER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                named = {alias.name.split(".")[0] for alias in node.names}
                assert named <= sys.stdlib_module_names, file
            elif isinstance(node, ast.ImportFrom):
                modules = {node.module} if node.module else {a.name for a in node.names}
                names = {str(module).split(".")[0] for module in modules}
                assert node.level <= 1, file
                assert names <= (own if node.level else sys.stdlib_module_names), file


def test_the_checker_runs_alone_in_another_folder(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(CHECKER, tmp_path / "alone", ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "import runpy, sys\n"
        "sys.path[:] = [each for each in sys.path if 'site-packages' not in each]\n"
        f"sys.path.append({str(tmp_path)!r})\n"
        f"sys.argv[1:] = [{str(sample)!r}]\n"
        "try:\n    runpy.run_module('alone', run_name='__main__', alter_sys=True)\n"
        "finally:\n    print(*sorted(n.split('.')[0] for n in sys.modules), sep=chr(10))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\n0 violations\n" in ran.stdout
    loaded = ran.stdout.split("0 violations\n")[1].split()
    foreign = {name for name in loaded if not name.startswith("_")} - sys.stdlib_module_names
    assert foreign == {"alone"}


def test_what_is_right_has_no_violation_and_counts(sample: Path) -> None:
    found = check(sample)
    assert found.violations == []
    assert found.shortcomings == []
    assert found.exit_code == verdict.OK
    assert found.counts["succeeded"] >= 1_000
    assert found.counts["faults worker_kill"] == 1


def test_the_form_of_the_evidence_names_every_file() -> None:
    form = (CHECKER / "README.md").read_text()
    named = [name for name, _ in Readers("").by_file()]
    assert [
        n for n in named if f"`{n.rpartition('/')[2].removesuffix('.jsonl')}" not in form
    ] == []
    assert all(f"`{name}.json`" in form for name in ("run", "ranking"))


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [rule.__name__ for rule in verdict.RULES]
    assert len(names) == len(set(names))
    assert all(rule.__doc__ for rule in verdict.RULES)


def test_every_rule_is_seen_to_find_something() -> None:
    written = "".join(file.read_text() for file in ROOT.glob("tests/unit/test_checker_*.py"))
    assert [rule.__name__ for rule in verdict.RULES if f'"{rule.__name__}"' not in written] == []


def test_nothing_at_all_is_not_well(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert found.exit_code == verdict.DOES_NOT_COUNT
    assert "run.json" in found.shortcomings[0]


def files() -> list[str]:
    listed = ("history", "snapshots", "database/wallets", "database/command_log")
    return [*listed, "database/dead_letters", "topics/user-commands", "topics/command-results"]


@pytest.mark.parametrize("name", files())
def test_a_missing_file_is_not_well(sample: Path, tmp_path: Path, name: str) -> None:
    folder = Folder(sample, tmp_path / "copy")
    (folder.path / f"{name}.jsonl").unlink()
    found = check(folder.path)
    assert found.exit_code == verdict.DOES_NOT_COUNT
    assert name.rsplit("/", maxsplit=1)[-1] in found.shortcomings[0]


def test_a_line_that_cannot_be_read_is_named(sample: Path, tmp_path: Path) -> None:
    folder = Folder(sample, tmp_path / "copy")
    folder.change("database/wallets", lambda _: True, lambda _: {})
    wallets = folder.lines("database/wallets")
    folder.write("database/wallets", [*wallets[:2], {"user_id": 3}])
    found = check(folder.path)
    assert "database/wallets.jsonl:3: KeyError('balance')" in found.shortcomings[0]


def test_empty_files_are_not_well(sample: Path, tmp_path: Path) -> None:
    folder = Folder(sample, tmp_path / "copy")
    for file in folder.path.rglob("*.jsonl"):
        file.unlink()
        file.touch()
    found = check(folder.path)
    assert found.exit_code != verdict.OK
    assert not found.counts_as_run


def test_a_run_that_refuses_a_tenth_does_not_count(sample: Path, tmp_path: Path) -> None:
    folder = Folder(sample, tmp_path / "copy")
    refused = folder.first("history", lambda line: line["ack"] == "refused")
    more = [refused | {"number": 10**6 + n} for n in range(400)]
    folder.add("history", *more)
    found = check(folder.path)
    assert found.violations == []
    assert found.exit_code == verdict.DOES_NOT_COUNT
    assert "below 90 %" in found.shortcomings[0]


#   tenths of the run that a fault lasts  counts
@pytest.mark.parametrize(("tenths", "counts"), [(8.8, True), (9.2, False)])
def test_a_run_that_was_hardly_ever_undisturbed_does_not_count(
    sample: Path, tmp_path: Path, tenths: float, counts: bool
) -> None:
    folder = Folder(sample, tmp_path / "copy")
    run = folder.path / "run.json"
    said = json.loads(run.read_text())
    begin_ms, span_ms = said["startedAtMs"], said["endedAtMs"] - said["startedAtMs"]
    over = {"endMs": begin_ms, "recoveredMs": int(begin_ms + span_ms * tenths / 10)}
    said["faults"] = [{**said["faults"][0], "beginMs": begin_ms, **over}]
    run.unlink()
    run.write_text(json.dumps(said))
    found = check(folder.path)
    assert found.counts_as_run is counts, found.shortcomings
    assert counts or "made outside faults, fewer than 10 %" in found.shortcomings[0]


def test_a_run_without_a_thousand_successes_does_not_count(tmp_path: Path) -> None:
    write_sample(tmp_path, 300)
    found = check(tmp_path)
    assert found.violations == []
    assert any("fewer than 1000" in reason for reason in found.shortcomings)


def test_a_fault_excuses_until_service_is_back() -> None:
    faults = [
        Fault("a", "", 100, 200, 300),
        Fault("b", "", 250, 260, 400),
        Fault("c", "", 1_000_000, 1_000_001, None),
    ]
    windows = windows_of(faults)
    assert windows == [(100, 400), (1_000_000, 1_015_001)]
    #       at           excused
    cases = [(99, False), (100, True), (400, True), (401, False), (1_015_000, True)]
    assert [(at_ms, is_within(at_ms, windows)) for at_ms, _ in cases] == cases


def test_the_command_line_shows_counts_violations_and_an_exit_code(
    sample: Path, tmp_path: Path
) -> None:
    folder = Folder(sample, tmp_path / "copy")
    folder.change(
        "database/wallets", lambda _: True, lambda line: {"balance": line["balance"] + 1}
    )
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos.checker", str(folder.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == verdict.VIOLATED
    shown = ran.stdout.splitlines()
    assert "balances_are_the_sums_of_entries: 40" in shown
    assert "  and 20 more" in shown
    assert shown[-1] == "40 violations"
