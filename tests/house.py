"""The rules of the house, read off the source: who may import whom, and how big things may be.

`python -m tests.house` prints where the house stands.
"""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("domain", "storage", "streams", "tables", "web", "client", "app")

# What tells the wire apart from the machinery: shapes, names and places, but no agent.
_WIRE = {
    f"streams.{name}"
    for name in (
        *("bundle", "codec", "command_ids", "kafka_access", "kinds", "outcomes", "records"),
        *("schemas", "topics", "tracing", "wire", "wire_events", "wire_fields"),
    )
}
# What every process does for whoever operates it, and how its tasks end.
_WATCH = {
    f"streams.{name}"
    for name in (
        "leave",
        "liveness",
        "metrics",
        "request_id",
        "service_watch",
        "stillness",
        "stopping",
    )
}
# The ranking worker is a Faust app too, and is made, watched and left like the command worker.
_FAUST = {
    f"streams.{name}"
    for name in ("admin", "app", "faust_watch", "log_reader", "membership", "outbox")
}
_SALES = {
    f"storage.{name}"
    for name in ("clock", "daily_ranking", "engine", "errors", "leases", "marks", "sales")
}

PACKAGE_TO_ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "storage": {"domain"},
    "streams": {"domain", "storage"},
    "tables": {"domain", *_SALES, *_WIRE, *_FAUST, *_WATCH},
    "web": {"domain", "storage", *_WIRE, *_WATCH},
    # What others install to call us: of ours, nothing but itself.
    "client": set(),
    "app": {*PACKAGES},
}
PACKAGE_TO_FOREIGN: dict[str, set[str]] = {
    "storage": {"faust", "mode", "aiokafka", "aiohttp", "redis"},
    "streams": {"aiohttp", "redis"},
    "tables": {"redis"},
    "web": {"faust", "mode"},
    "client": {"faust", "mode", "aiokafka", "sqlalchemy", "redis", "pydantic_settings", "click"},
}

FILE_LINES_MAX, TEST_FILE_LINES_MAX = 300, 400
FUNCTION_LINES_MAX, TEST_FUNCTION_LINES_MAX = 40, 50
PARAMETERS_MAX = 4
LINE_CHARACTERS_MAX = 99
MOCKS_MAX = 5
SENTENCES_MIN = 0.85

_MOCKS = {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "patch", "create_autospec"}
# Ruff does not count these either: they are for tools, and cannot be wrapped.
_PRAGMA = re.compile(r"\s*# (noqa|type: ignore).*$")
# In pieces, so that this file does not name them itself.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.])/wo" r"rk/",
            r"(?<![\w.])/ro" r"ot/",
            r"(?<![\w.])/tm" r"p/",
            r"(?<![\w.])/home/(?!app\b)\w",
            r"index-" r"url[ =]+\S*:",
            r"trusted-" r"host[ =]+\w",
            r"pythonhosted" r"\.org",
            r"pypi\." r"org/simple",
            r"(?i:cla" r"ude|anthro" r"pic|open" r"ai|chat" r"gpt|copi" r"lot)",
        )
    )
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function and its size. Decorators count: they are lines that are read with it."""

    where: str
    lines: int
    positional: int


def python_files(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imports_of(file: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file names in an import, wherever in the file, with its line."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            # `from streams import wire` names the module streams.wire.
            joined = base in PACKAGES
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}" if joined else base


def misplaced_imports(root: Path) -> list[str]:
    """Imports against the arrows, as `file:line imports module`."""
    return [
        f"{file.relative_to(root)}:{line} imports {module}"
        for package in PACKAGES
        for file in python_files(root, package)
        for line, module in imports_of(file)
        if not _may_import(package, module)
    ]


def _may_import(package: str, module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    if module.startswith(".") or top in ("tests", "benchmarks"):
        return False
    if top not in PACKAGES:
        only_standard = package == "domain" and top not in sys.stdlib_module_names
        return not only_standard and top not in PACKAGE_TO_FOREIGN.get(package, ())
    allowed = PACKAGE_TO_ALLOWED[package]
    return top in (package, *allowed) or ".".join(module.split(".")[:2]) in allowed


def functions_of(root: Path, *folders: str) -> list[Function]:
    return [
        Function(f"{file.relative_to(root)}:{node.lineno} {node.name}", *_size(node))
        for file in python_files(root, *folders)
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _size(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, int]:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    positional = [*node.args.posonlyargs, *node.args.args]
    itself = bool(positional) and positional[0].arg in ("self", "cls")
    return (node.end_lineno or first) - first + 1, len(positional) - itself


def oversized(root: Path, *folders: str) -> list[str]:
    """Files, functions, parameter lists and lines past the ratchets."""
    is_test = set(folders) <= {"tests", "benchmarks"}
    file_max = TEST_FILE_LINES_MAX if is_test else FILE_LINES_MAX
    function_max = TEST_FUNCTION_LINES_MAX if is_test else FUNCTION_LINES_MAX
    found = [
        f"{each.where}: {each.lines} lines, {each.positional} parameters"
        for each in functions_of(root, *folders)
        # pytest hands fixtures over by the names of parameters.
        if each.lines > function_max or (each.positional > PARAMETERS_MAX and not is_test)
    ]
    for file in python_files(root, *folders):
        lines = file.read_text().splitlines()
        if len(lines) > file_max:
            found.append(f"{file.relative_to(root)}: {len(lines)} lines")
        found += [
            f"{file.relative_to(root)}:{number}: {len(line)} characters"
            for number, line in enumerate(lines, 1)
            if len(_PRAGMA.sub("", line)) > LINE_CHARACTERS_MAX
        ]
    return found


def mocks(root: Path, *folders: str) -> list[str]:
    return [
        f"{file.relative_to(root)}:{node.lineno} {name}"
        for file in python_files(root, *folders)
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Name | ast.Attribute)
        and (name := node.id if isinstance(node, ast.Name) else node.attr) in _MOCKS
    ]


def comments_of(text: str) -> list[str]:
    """The comments of a file; lines that stand together are one comment."""
    blocks: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        said = token.string.lstrip("#").strip()
        if token.type != tokenize.COMMENT or re.match(r"noqa|type:|!", said):
            continue
        line = token.start[0]
        if blocks and blocks[-1][0] == line - 1:
            blocks[-1] = (line, f"{blocks[-1][1]} {said}")
        else:
            blocks.append((line, said))
    return [said for _, said in blocks]


def is_sentence(comment: str) -> bool:
    return bool(re.match(r"^[^a-z].*[.:?!)]$", comment, re.DOTALL))


def sentences(root: Path, *folders: str) -> tuple[float, list[str]]:
    """The share of comments that are sentences, and those that are none."""
    told = [
        (file, each)
        for file in python_files(root, *folders)
        for each in comments_of(file.read_text())
    ]
    others = [f"{file.relative_to(root)}: {each}" for file, each in told if not is_sentence(each)]
    return 1 - len(others) / max(1, len(told)), others


def committed_files(root: Path) -> list[Path]:
    """What git knows of, or everything where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        return [path for path in root.rglob("*") if path.is_file()]
    files = [root / name for name in listed.stdout.split("\0") if name]
    return [path for path in files if path.is_file()]


def forbidden_words(root: Path, files: Iterable[Path]) -> list[str]:
    """Words that belong to one machine, one registry or one tool, by file and line."""
    return [
        f"{file.relative_to(root)}:{number}: {found.group()}"
        for file in files
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if (found := FORBIDDEN.search(line))
    ]


def report(root: Path) -> str:
    """Where the house stands, in four lines."""
    lengths = sorted(each.lines for each in functions_of(root, *PACKAGES))
    files = sorted(len(f.read_text().splitlines()) for f in python_files(root, *PACKAGES))
    tests = sum(len(f.read_text().splitlines()) for f in python_files(root, "tests"))
    share, _ = sentences(root, *PACKAGES)
    return (
        f"functions: {len(lengths)}, median {statistics.median(lengths):.0f} lines, "
        f"p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}\n"
        f"files: {len(files)}, median {statistics.median(files):.0f} lines, longest {files[-1]}\n"
        f"test : code = {tests / sum(files):.2f} ({tests} : {sum(files)} lines)\n"
        f"comments that are sentences: {share:.0%}"
    )


if __name__ == "__main__":
    print(report(ROOT))  # noqa: T201
