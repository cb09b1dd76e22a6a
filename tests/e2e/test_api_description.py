"""The API keeps what its own description says, whatever is sent: asked by Schemathesis.

Every operation that is served is tried, so that a new one is covered by being described.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from streams import wire
from tests.street import Street

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS_MAX = 280


def operations_of(url: str) -> set[str]:
    with urlopen(f"{url}/openapi.json", timeout=20) as response:
        paths: dict[str, Any] = json.load(response)["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


async def open_shop(street: Street) -> None:
    """Have what the description's own examples speak of, so that they lead somewhere."""
    async with street.visitor() as visitor:
        await visitor.define(wire.DefineProduct(1, "Tea", 100, 10**6))
        await visitor.define(wire.DefineCoupon("WELCOME", 10**6, 10))
        await visitor.charge(7, 10_000)


@pytest.mark.timeout(SECONDS_MAX + 20)
def test_no_request_is_answered_otherwise_than_described(
    real_street: Street, tmp_path: Path
) -> None:
    asyncio.run(open_shop(real_street))
    url, report = real_street.processes["edge"].url, tmp_path / "report.ndjson"
    words: list[str | Path] = ["--config-file", CONFIG, "run", f"{url}/openapi.json", "--no-color"]
    ran = subprocess.run(
        [Path(sys.executable).with_name("st"), *words, "--report-ndjson-path", report],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stdout
    tried = report.read_text()
    for operation in operations_of(url):
        assert operation in tried
