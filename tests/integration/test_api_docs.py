"""Every example of docs/api.md, run as it stands there, on an edge and a worker."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest_asyncio
from aiohttp.test_utils import TestClient

from app.seed import seed
from tests.edges import edge_of
from tests.house import ROOT
from tests.installation import Installation
from tests.markdown import blocks_of, without_changing

DOCUMENT = ROOT / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:8080"
# What differs from run to run; the rest of an output is as the document shows it.
CHANGING = {"commandId", "userCouponId", "couponId", "issuedAt", "acceptedAt", "recordedAt"}
CHANGING |= {"offset", "partition", "logEpoch", "next"}


class Example(NamedTuple):
    """A command or program, and the JSON that the document shows as its output."""

    heading: str
    language: str
    text: str
    output: Any


def examples() -> list[Example]:
    """List the examples in their order."""
    blocks = blocks_of(DOCUMENT)
    return [
        Example(block.heading, block.language, block.text, json.loads(shown.text))
        for block, shown in zip(blocks[::2], blocks[1::2], strict=True)
        if shown.language == "json"
    ]


@pytest_asyncio.fixture
async def url(installation: Installation) -> AsyncIterator[str]:
    """The address of an edge of a shop with the demo data."""
    async with installation.worker(), edge_of(installation, wait_seconds=30) as customer:
        await seed(installation.settings)
        assert isinstance(customer.http, TestClient)
        yield str(customer.http.make_url("")).rstrip("/")


async def run(example: Example, url: str) -> Any:
    """Run an example, in a shell or in Python, and return the JSON that it prints."""
    text = example.text.replace(ADDRESS, url)
    program = {"sh": ["bash", "-c"], "python": [sys.executable, "-c"]}[example.language]
    process = await asyncio.create_subprocess_exec(
        *program,
        text,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_every_example_does_what_the_document_shows(url: str) -> None:
    listed = examples()
    assert len(listed) == len(blocks_of(DOCUMENT)) / 2
    for example in listed:
        printed = await run(example, url)
        expected = without_changing(example.output, CHANGING)
        assert without_changing(printed, CHANGING) == expected, example.text
