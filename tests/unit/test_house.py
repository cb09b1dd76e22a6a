"""The house keeps its rules: layers, ratchets, words. And these tests would notice."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house

HEAVY = ("faust", "sqlalchemy", "aiohttp", "aiokafka", "msgspec", "pydantic")


def test_imports_follow_the_arrows() -> None:
    assert house.misplaced_imports(house.ROOT) == []


def test_the_rules_load_nothing_but_the_standard_library() -> None:
    script = (
        "import sys, domain.rules, domain.coupons, domain.ranking\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), sep='\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=house.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name for name in ran.stdout.split() if not name.startswith("_")}
    assert loaded - set(sys.stdlib_module_names) == {"domain"}
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("folder", [*house.PACKAGES, "benchmarks", "tests"])
def test_nothing_is_past_its_ratchet(folder: str) -> None:
    assert house.oversized(house.ROOT, folder) == []


def test_most_functions_and_files_are_short() -> None:
    lengths = sorted(each.lines for each in house.functions_of(house.ROOT, *house.PACKAGES))
    assert lengths[len(lengths) // 2] <= 8, house.report(house.ROOT)
    assert lengths[len(lengths) * 9 // 10] <= 20, house.report(house.ROOT)


def test_hardly_anything_is_mocked() -> None:
    found = house.mocks(house.ROOT, "tests", "benchmarks", *house.PACKAGES)
    assert len(found) <= house.MOCKS_MAX, found


def test_comments_are_sentences() -> None:
    share, others = house.sentences(house.ROOT, *house.PACKAGES)
    assert share >= house.SENTENCES_MIN, others


def test_no_committed_text_names_a_machine_a_registry_or_a_tool() -> None:
    files = house.committed_files(house.ROOT)
    assert house.ROOT / "setup.cfg" in files
    assert house.forbidden_words(house.ROOT, files) == []


def test_ruff_bounds_the_same_lines() -> None:
    assert f"line-length = {house.LINE_CHARACTERS_MAX}\n" in (house.ROOT / "ruff.toml").read_text()


# Would these tests notice? Each violation is planted in a tree of its own.

#   file                        text                                       noticed
IMPORTS = [
    ("domain/a.py", "import sqlalchemy", True),
    ("domain/a.py", "from msgspec import Struct", True),
    ("domain/a.py", "def f():\n    import faust", True),
    ("domain/a.py", "from storage import schema", True),
    ("domain/a.py", "from . import b", True),
    ("domain/a.py", "import json\nfrom domain.ids import UserId", False),
    ("storage/a.py", "from streams.wire import Order", True),
    ("storage/a.py", "import aiokafka", True),
    ("storage/a.py", "import sqlalchemy\nfrom domain import ids", False),
    ("streams/a.py", "from web import routes", True),
    ("streams/a.py", "from app.settings import Settings", True),
    ("streams/a.py", "import aiohttp", True),
    ("streams/a.py", "import faust\nfrom storage.engine import Database", False),
    ("tables/a.py", "from storage.wallets import load_wallets", True),
    ("tables/a.py", "from streams import intake", True),
    ("tables/a.py", "from streams import wire\nfrom storage.marks import Mark", False),
    ("web/a.py", "from streams.app import create_command_app", True),
    ("web/a.py", "from streams import batch", True),
    ("web/a.py", "import faust.web", True),
    ("web/a.py", "from tables.worker import RankingWorker", True),
    ("web/a.py", "from streams import wire\nfrom streams.codec import key_of", False),
    ("client/a.py", "from web.shapes import Products", True),
    ("client/a.py", "from streams import wire", True),
    ("client/a.py", "import sqlalchemy", True),
    ("client/a.py", "import aiohttp\nimport msgspec\nfrom client.errors import X", False),
    ("app/a.py", "import tests.services", True),
    ("app/a.py", "from web import edge\nfrom tables import app", False),
]


@pytest.mark.parametrize(("name", "text", "noticed"), IMPORTS)
def test_an_import_against_the_arrows_is_noticed(
    tmp_path: Path, name: str, text: str, noticed: bool
) -> None:
    plant(tmp_path, name, text)
    assert bool(house.misplaced_imports(tmp_path)) is noticed


def body(lines: int) -> str:
    return "def f() -> None:\n" + "    pass\n" * (lines - 1)


#   file          text                                                noticed
SIZES: list[tuple[str, str, bool]] = [
    ("web/a.py", "x = 1\n" * 300, False),
    ("web/a.py", "x = 1\n" * 301, True),
    ("tests/a.py", "x = 1\n" * 400, False),
    ("tests/a.py", "x = 1\n" * 401, True),
    ("web/a.py", body(40), False),
    ("web/a.py", body(41), True),
    ("web/a.py", "@decorated\n" + body(40), True),
    ("web/a.py", "class A:\n    async def f(self):\n" + "        pass\n" * 40, True),
    ("tests/a.py", body(50), False),
    ("tests/a.py", body(51), True),
    ("web/a.py", "def f(a, b, c, d, *, e, g): ...", False),
    ("web/a.py", "def f(a, b, c, d, e): ...", True),
    ("web/a.py", "class A:\n    def f(self, a, b, c, d): ...", False),
    ("web/a.py", "x = '" + "a" * 93 + "'", False),
    ("web/a.py", "x = '" + "a" * 94 + "'", True),
]


@pytest.mark.parametrize(("name", "text", "noticed"), SIZES)
def test_what_is_past_a_ratchet_is_noticed(
    tmp_path: Path, name: str, text: str, noticed: bool
) -> None:
    plant(tmp_path, name, text)
    assert bool(house.oversized(tmp_path, name.split("/", maxsplit=1)[0])) is noticed


#   a comment                                                        a sentence
COMMENTS = [
    ("# It may race with a second worker.", True),
    ("# It may race\n# with a second worker.", True),
    ("# `x` is never None here.", True),
    ("# increment the counter", False),
    ("# TODO", False),
]


@pytest.mark.parametrize(("text", "sentence"), COMMENTS)
def test_a_comment_that_is_no_sentence_is_noticed(
    tmp_path: Path, text: str, sentence: bool
) -> None:
    plant(tmp_path, "web/a.py", f"{text}\nx = 1  # noqa: E501\n")
    share, _ = house.sentences(tmp_path, "web")
    assert share == (1 if sentence else 0)


@pytest.mark.parametrize(
    "text", ["mock.patch('x')", "Mock()", "from unittest.mock import Mock\nMock"]
)
def test_a_mock_is_noticed(tmp_path: Path, text: str) -> None:
    plant(tmp_path, "tests/a.py", text)
    assert len(house.mocks(tmp_path, "tests")) == 1


#   words, in pieces so that this file does not hold them              noticed
WORDS: list[tuple[Callable[[], str], bool]] = [
    (lambda: "see /wo" + "rk/notes", True),
    (lambda: "cd /ro" + "ot/x", True),
    (lambda: "/tm" + "p/data", True),
    (lambda: "--index-" + "url https://example.org", True),
    (lambda: "https://files.pythonhosted" + ".org/x", True),
    (lambda: "trusted-" + "host = mirror", True),
    (lambda: "neither index-" + "url nor another", False),
    (lambda: "docs/wo" + "rk/notes", False),
    (lambda: "https://example.org/", False),
]


@pytest.mark.parametrize(("words", "noticed"), WORDS)
def test_a_forbidden_word_is_noticed(
    tmp_path: Path, words: Callable[[], str], noticed: bool
) -> None:
    file = plant(tmp_path, "README.md", words())
    assert bool(house.forbidden_words(tmp_path, [file])) is noticed


def plant(root: Path, name: str, text: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
