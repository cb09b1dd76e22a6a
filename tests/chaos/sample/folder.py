"""An evidence folder to be tampered with, line by line."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from tests.chaos.checker import check
from tests.chaos.sample.shop import Json

Where = Callable[[Json], bool]
Change = Callable[[Json], Json]


class Folder:
    """A copy of an evidence folder. What is not changed is shared with the first one."""

    def __init__(self, original: Path, copy: Path) -> None:
        shutil.copytree(original, copy, copy_function=os.link)
        self.path = copy

    def lines(self, name: str, where: Where = lambda _: True) -> list[Json]:
        """Read the lines of a file that fit."""
        text = (self.path / f"{name}.jsonl").read_text()
        return [line for each in text.splitlines() if where(line := json.loads(each))]

    def first(self, name: str, where: Where = lambda _: True) -> Json:
        """Return the first line that fits."""
        return self.lines(name, where)[0]

    def write(self, name: str, lines: list[Json]) -> None:
        """Replace a file."""
        file = self.path / f"{name}.jsonl"
        file.unlink()
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def add(self, name: str, *lines: Json) -> None:
        """Add lines at the end."""
        self.write(name, [*self.lines(name), *lines])

    def drop(self, name: str, where: Where) -> list[Json]:
        """Take out all lines that fit, and return them."""
        dropped = self.lines(name, where)
        assert dropped, f"nothing to drop from {name}"
        self.write(name, self.lines(name, lambda line: not where(line)))
        return dropped

    def change(self, name: str, where: Where, change: Change) -> None:
        """Change all lines that fit."""
        assert self.lines(name, where), f"nothing to change in {name}"
        lines = self.lines(name)
        self.write(name, [line | change(line) if where(line) else line for line in lines])

    def change_object(self, name: str, change: Change) -> None:
        """Change a file that is one object."""
        file = self.path / f"{name}.json"
        said = json.loads(file.read_text())
        file.unlink()
        file.write_text(json.dumps(said | change(said)))

    def change_values(self, topic: str, where: Where, change: Change) -> None:
        """Change the JSON values of the records of a topic that fit."""
        self.change(
            f"topics/{topic}",
            lambda line: where(value_of(line)),
            lambda line: {"value": json.dumps(value_of(line) | change(value_of(line)))},
        )

    def rows(self, **wanted: object) -> list[Json]:
        """Return the rows of the command log that have these values."""
        return self.lines("database/command_log", lambda line: wanted.items() <= line.items())

    def retell(self, command_id: str, status: int, body: Json) -> None:
        """Give a command another outcome, wherever it was told but in the tables it changed."""
        told = {"status": status, "body": body}

        def is_it(line: Json) -> bool:
            return line.get("commandId", line.get("command_id")) == command_id

        self.change(
            "database/command_log",
            is_it,
            lambda line: (
                {"status": status, "body": json.dumps(body)}
                | ({"disposition": "REFUSED"} if line["disposition"] == "APPLIED" else {})
            ),
        )
        self.change_values("command-results", is_it, lambda _: told)
        self.write(
            "history",
            [_retold(line, told) if is_it(line) else line for line in self.lines("history")],
        )

    def once(self) -> Json:
        """Return an attempt that is alone: over HTTP, answered, applied, never sent again."""
        history = self.lines("history")
        ids = [line["commandId"] for line in history]
        known = {row["command_id"]: row["disposition"] for row in self.rows()}
        return next(
            line
            for line in history
            if line["channel"] == "http"
            and line["status"] == 200
            and line["type"] == "ChargeBalance"
            and line["retryOf"] is None
            and ids.count(line["commandId"]) == 1
            and known[line["commandId"]] == "APPLIED"
        )


def rules_broken_by(plant: Callable[[Folder], None], folder: Folder) -> set[str]:
    """Plant a defect and return the names of the rules that notice it."""
    plant(folder)
    return {rule for rule, _ in check(folder.path).violations}


def _retold(line: Json, told: Json) -> Json:
    if line["type"] == "Ask":
        return {**line, "body": line["body"] | told}
    return {**line, **told} if line["status"] not in (None, 202, 422) else line


def value_of(record: Json) -> Json:
    """Return the JSON value of a record."""
    value: Json = json.loads(record["value"])
    return value


def place_of(line: Json) -> Json:
    """Return where a line says that something stands."""
    return {name: line[name] for name in ("topic", "partition", "offset")}


def new_id() -> str:
    """Return an id that nothing has."""
    return str(uuid4())
