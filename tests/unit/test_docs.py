"""The documents are true of the code: links, files, names, settings, commands and routes."""

import ast
import configparser
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from app.cli import main
from app.cli_settings import variable_of
from app.settings import Settings
from app.tour import TOUR
from streams import wire
from streams.codec import PoisonReason
from streams.kinds import KINDS
from streams.topics import topics_of
from tests.house import ROOT
from tests.markdown import anchors_of, blocks_of, documents, links_in, prose_of
from web.contract import template_of
from web.metrics import METRICS_ROUTES
from web.routes import ROUTES

ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
README = ROOT / "README.md"
KAFKA = ROOT / "docs" / "kafka.md"
DOCUMENT_TO_TEST = {
    "docs/kafka.md": "tests/e2e/test_kafka_docs.py",
    "docs/api.md": "tests/integration/test_api_docs.py",
}
"""Documents whose every example is run, and what runs them."""
_RUN_WITH_OTHER_FILTERS = "tests/integration/test_dlq.py runs it, on letters of its own"
NOT_RUN = {
    "make run": "tests/e2e/test_run.py runs what it ends in, `fairline run`; CI starts with make",
    "make test": "it is what runs this test",
    ". .venv/bin/activate": "tests run in an environment of their own",
    'eval "$(fairline services up)"': "tests/integration/test_services.py runs the command",
    "fairline worker --kind gateway": "tests/integration/test_sasl.py runs what it ends in",
    "fairline run": "tests/e2e/test_run.py runs it",
    "fairline ranking check": "tests/integration/test_ranking_check.py runs it",
    "fairline log prune": "tests/integration/test_retention.py runs it",
    "fairline log prune --dry-run": "tests/integration/test_retention.py runs it",
    "fairline dlq list": _RUN_WITH_OTHER_FILTERS,
    "fairline dlq list --reason WRONG_PARTITION --since 2h --status all": _RUN_WITH_OTHER_FILTERS,
    "fairline dlq show user-commands 4 17 --raw > value.json": _RUN_WITH_OTHER_FILTERS,
    "fairline dlq replay user-commands 4 17 --value-file value.json --key 42"
    ' --why "ticket 812"': _RUN_WITH_OTHER_FILTERS,
    "fairline dlq replay --reason UNKNOWN_TYPE --since 2d": _RUN_WITH_OTHER_FILTERS,
    "fairline dlq discard --topic user-commands --reason UNDECODABLE --since 1h"
    ' --why "load test"': _RUN_WITH_OTHER_FILTERS,
    "fairline ranking rebuild": "tests/integration/test_ranking_check.py runs it",
}
"""Commands that documents show and no test runs as they stand, each with the reason."""
FOLDERS = ["domain", "storage", "streams", "tables", "web", "client", "app"]
ROWS = [
    "Read a balance",
    "Charge a balance",
    "Issue a coupon",
    "List coupons",
    "Create an order",
    "Pay an order",
    "Cancel an order",
    "Top products",
    "Daily ranking",
]

_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"(?:\.?[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|toml|cfg|yml|txt|sh)|Makefile|Dockerfile"
)
_FILE_AND_NAME = re.compile(r"`([\w/]+\.py)`[ |\n]+`([A-Za-z_][\w.]*)`")
_VARIABLE = re.compile(r"FAIRLINE_[A-Z_]+")
_ROUTE = re.compile(r"(GET|POST) (/[\w/{}]*)")
_OURS = re.compile(r"\bfairline ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")

each_document = pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)


def code_in(document: Path) -> list[str]:
    """List what a document's prose shows as code."""
    return _CODE.findall(prose_of(document))


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in links_in(document):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    named = [text for text in code_in(document) if _FILE.fullmatch(text)]
    # Folders that only exist once something ran begin with a dot; URLs with a slash.
    missing = [n for n in named if not n.startswith(".") and not (ROOT / n).exists()]
    assert missing == []


@each_document
def test_names_are_in_the_files_that_they_are_named_with(document: Path) -> None:
    found = _FILE_AND_NAME.findall(prose_of(document))
    assert [(file, name) for file, name in found if name not in names_in(ROOT / file)] == []


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return every function, class and constant of a file; methods after their class and a dot."""
    return frozenset(_names_below(ast.parse(file.read_text()), ""))


def _names_below(node: ast.AST, owner: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield owner + child.name
            yield from _names_below(child, f"{child.name}." if _is_class(child) else "")
        elif isinstance(child, ast.Assign):
            yield from (target.id for target in child.targets if isinstance(target, ast.Name))


def _is_class(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


@each_document
def test_settings_that_are_named_exist(document: Path) -> None:
    known = {variable_of(name) for name in Settings.model_fields}
    named = set(_VARIABLE.findall(document.read_text()))
    assert {n for n in named - known if not n.startswith("FAIRLINE_TEST_")} == set()


@each_document
def test_routes_that_are_named_exist(document: Path) -> None:
    known = {(r.method, template_of(r.path)) for r in (*ROUTES, *METRICS_ROUTES)}
    text = document.read_text()
    assert {found for found in _ROUTE.findall(text) if found[1] != "/"} <= known


@each_document
def test_commands_of_ours_that_are_named_exist(document: Path) -> None:
    shown = [block.text for block in blocks_of(document) if block.language == "sh"]
    for word, second in _OURS.findall("\n".join([*code_in(document), *shown])):
        command = main.commands.get(word)
        assert command is not None, word
        below = getattr(command, "commands", None)
        assert below is None or not second or second in below, f"{word} {second}"


@each_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    shown = [block.text for block in blocks_of(document) if block.language == "sh"]
    named = re.findall(r"\bmake ([a-z-]+)", "\n".join([*code_in(document), *shown]))
    assert set(named) - targets == set()


@each_document
def test_shell_commands_are_run_by_a_test_or_have_a_reason_not_to_be(document: Path) -> None:
    name = str(document.relative_to(ROOT))
    if name in DOCUMENT_TO_TEST:
        assert name in (ROOT / DOCUMENT_TO_TEST[name]).read_text().replace('" / "', "/")
        return
    shown = [b.text for b in blocks_of(document) if b.language == "sh" and b.text != tour()]
    lines = [line for text in shown for line in text.splitlines() if line.strip()]
    assert {line.partition("  #")[0].rstrip() for line in lines} - set(NOT_RUN) == set()


def tour() -> str:
    """Return the tour that `fairline run` prints, which tests/e2e/test_run.py pastes."""
    return TOUR.read_text()


def test_the_readme_shows_the_tour_that_is_printed() -> None:
    shown = [block.text for block in blocks_of(README) if block.heading == "The tour"]
    assert tour() in shown


def test_reasons_name_tests_that_exist() -> None:
    named = re.findall(r"tests/[\w/]+\.py", " ".join(NOT_RUN.values()))
    assert [file for file in named if not (ROOT / file).exists()] == []


def first_column(heading: str) -> list[str]:
    """List the first cells of the first table under a heading of docs/kafka.md."""
    text = prose_of(KAFKA).partition(f"\n{heading}\n")[2]
    rows = text[text.index("\n|") :].strip().partition("\n\n")[0].splitlines()[2:]
    return [_CODE.findall(row)[0] for row in rows]


def test_kafka_lists_every_topic() -> None:
    assert first_column("## Topics") == [topic.name for topic in topics_of("", 8).all]


def test_kafka_lists_every_type_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", prose_of(KAFKA), re.M)
    shown = {name: set(_CODE.findall(fields)) for name, fields in rows if name in KINDS}
    item_fields = {"productId", "quantity"}
    assert shown.pop("CreateOrder") == fields_of(wire.CreateOrder) | item_fields
    assert shown == {
        name: fields_of(kind.shape) for name, kind in KINDS.items() if name != "CreateOrder"
    }


def fields_of(shape: type[wire.Shape]) -> set[str]:
    """Return the fields of a shape, as they are named on the wire."""
    return {field.encode_name for field in msgspec.structs.fields(shape)}


def test_kafka_lists_every_reason_of_a_dead_letter() -> None:
    assert set(first_column("## Dead letters")) == set(PoisonReason)


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("Charging with kcat", "command-results"),
        ("Issuing with confluent-kafka", "command-results"),
        ("Events", "order-events"),
        ("Cancelling", "order-events"),
        ("Dead letters", "dead-letters"),
    ],
)
def test_kafka_shows_what_the_schemas_say(heading: str, schema: str) -> None:
    [shown] = [b for b in blocks_of(KAFKA) if (b.heading, b.language) == (heading, "json")]
    described = json.loads((ROOT / "docs" / "schemas" / f"{schema}.json").read_text())
    Draft202012Validator(described).validate(json.loads(shown.text))


def test_each_row_has_a_sequence_diagram() -> None:
    diagrams = [b for b in blocks_of(ARCHITECTURE) if b.text.startswith("sequenceDiagram")]
    assert [diagram.heading for diagram in diagrams] == ROWS


def test_functions_that_diagrams_name_exist() -> None:
    diagrams = " ".join(b.text for b in blocks_of(ARCHITECTURE) if b.language == "mermaid")
    sources = [file for folder in FOLDERS for file in (ROOT / folder).glob("**/*.py")]
    known = set[str]().union(*map(names_in, sources))
    assert set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", diagrams)) <= known


def test_the_tour_of_one_command_has_about_ten_stops() -> None:
    text = prose_of(ARCHITECTURE).partition("## One command, stop by stop")[2]
    stops = _FILE_AND_NAME.findall(text.partition("\n## ")[0])
    assert 8 <= len(stops) <= 12


def test_the_changelog_knows_this_version() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    assert re.search(
        rf"^## \[?{re.escape(version)}\]?\b", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
