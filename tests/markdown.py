"""Reads our Markdown as far as tests need it: fenced blocks, headings and links."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.house import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the heading that it stands under."""

    heading: str
    language: str
    text: str


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks_of(document: Path) -> list[Block]:
    """List a document's fenced blocks in their order."""
    text = document.read_text()
    return [
        Block(_last_heading(text[: found.start()]), found[1], found[2])
        for found in _FENCE.finditer(text)
    ]


def _last_heading(text: str) -> str:
    headings: list[str] = _HEADING.findall(_FENCE.sub("", text))
    return headings[-1] if headings else ""


def prose_of(document: Path) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", document.read_text())


def links_in(document: Path) -> Iterator[str]:
    """List where a document's links lead."""
    return iter(_LINK.findall(prose_of(document)))


def anchors_of(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(prose_of(document))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def without_changing(value: Any, changing: Container[str]) -> Any:
    """Return a JSON value with the type in place of what differs from run to run, by its names."""
    if isinstance(value, list):
        return [without_changing(each, changing) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: type(each).__name__ if name in changing else without_changing(each, changing)
        for name, each in value.items()
    }
