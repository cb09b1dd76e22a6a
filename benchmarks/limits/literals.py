"""A script of prepared statements with their values, so that pgbench can send them again."""

import re
from collections.abc import Sequence

_SPACES = re.compile(r"\s*\n\s*")


class Script:
    """Statements in the order in which they were sent; each text is prepared once."""

    def __init__(self) -> None:
        self._text_to_name: dict[str, str] = {}
        self._sent: list[str] = []

    def __len__(self) -> int:
        """How many were sent; that they are prepared is not counted."""
        return len(self._sent)

    def send(self, statement: str, values: Sequence[object] = ()) -> None:
        """Add a statement. Its places are $1, $2 and so on, with casts that tell their types."""
        if not values:
            self._sent.append(statement)
            return
        name = self._text_to_name.setdefault(statement, f"s{len(self._text_to_name)}")
        self._sent.append(f"EXECUTE {name}({', '.join(map(literal, values))})")

    def lines(self) -> list[str]:
        """Every statement on a line of its own: a line may not begin as a command of pgbench."""
        prepared = [f"PREPARE {name} AS {text}" for text, name in self._text_to_name.items()]
        return [_SPACES.sub(" ", line.strip()) + ";" for line in (*prepared, *self._sent)]


def literal(value: object) -> str:
    """Write a value as SQL. Raises TypeError for what no statement of ours has."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    text = _array(value) if isinstance(value, list | tuple) else _text(value)
    return "'" + text.replace("'", "''") + "'"


def _array(values: Sequence[object]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    text = _text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, str):
        return value
    message = f"{type(value).__name__} is not written as SQL"
    raise TypeError(message)
