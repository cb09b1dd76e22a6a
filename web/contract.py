"""Writes the description of the API: `python -m web.contract docs`.

Generated from what the code declares, checked in, and generated again by a test, as the JSON
Schemas are.
"""

import json
import re
import sys
from pathlib import Path

from streams.topics import topics_of
from web.asyncapi import asyncapi
from web.error_codes import error_table
from web.openapi import Described, openapi
from web.routes import ROUTES

_ERRORS = """\
# Error codes

Every error is a problem of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), whether a request
is answered with it or a result on Kafka tells it: `application/problem+json` with `type`, `title`,
`status`, `detail` and a `code` that stays the same. Which of them a request can be answered with
stands in [openapi.json](openapi.json). `python -m web.contract docs` writes this page from
`web/error_codes.py`.

"""


def documents() -> dict[str, str]:
    """Return every document by the name of its file."""
    described = [Described(r.method, template_of(r.path), r.handler) for r in ROUTES]
    return {
        "openapi.json": _text(openapi(described)),
        "asyncapi.json": _text(asyncapi(topics_of("", 8))),
        "errors.md": _ERRORS + error_table() + "\n",
    }


def template_of(path: str) -> str:
    """Return the path of a route without the patterns of its parameters."""
    return re.sub(r"{(\w+):[^}]*}", r"{\1}", path)


def _text(described: object) -> str:
    return json.dumps(described, indent=2) + "\n"


def write_documents(folder: Path) -> None:
    """Write every document into a folder, the same bytes each time."""
    for name, text in documents().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]))
