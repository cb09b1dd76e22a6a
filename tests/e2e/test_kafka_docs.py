"""Every example of docs/kafka.md, run as it stands there, on a worker and real services.

The examples use topics without a prefix, so they get a Kafka of their own: on a shared one they
would write into somebody's installation.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.addresses import answers_ok
from app.services.child import Child, Launch
from app.services.kafka import Kafka
from app.services.ports import free_port
from tests import services
from tests.house import ROOT
from tests.markdown import blocks_of, without_changing

DOCUMENT = ROOT / "docs" / "kafka.md"
FAIRLINE = [sys.executable, "-P", "-m", "app.cli"]
ADDRESS = "export FAIRLINE_KAFKA_URL="
# What differs from run to run; the rest of an output is as the document shows it.
CHANGING = {"offset", "userCouponId", "issuedAt", "paidAt", "cancelledAt", "recordedAt", "detail"}
CHANGING |= {"receipt"}
READY_SECONDS_MAX = 60
RESULT_SECONDS_MAX = 30


class Example(NamedTuple):
    """A command or program, and the JSON that the document shows as its output."""

    heading: str
    language: str
    text: str
    output: str | None

    @property
    def only_reads(self) -> bool:
        """Whether it may be run again until it finds what it looks for."""
        return "kcat -C" in self.text


def examples() -> list[Example]:
    """List the examples in their order, all but the line that names the broker."""
    blocks = blocks_of(DOCUMENT)
    found = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language == "json" or block.text.startswith(ADDRESS):
            continue
        shown = following.text if following and following.language == "json" else None
        found.append(Example(block.heading, block.language, block.text, shown))
    return found


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> Iterator[dict[str, str]]:
    """The environment of a shell in which a worker runs, with the demo data defined."""
    if shutil.which("kcat") is None:
        if os.environ.get("CI"):
            pytest.fail("kcat is not installed", pytrace=False)
        pytest.skip("kcat is not installed (Debian: apt-get install kcat)")
    folder = tmp_path_factory.mktemp("kafka-docs")
    with services.running(Kafka(folder / "kafka", free_port())) as kafka:
        shell = {name: v for name, v in os.environ.items() if not name.startswith("FAIRLINE_")}
        variables = {**shell, "FAIRLINE_KAFKA_URL": kafka.url}
        ours = {
            **variables,
            "FAIRLINE_DATABASE_URL": database_url,
            "FAIRLINE_DATA_DIR": str(folder),
            "FAIRLINE_WORKER_PORT": str(free_port()),
        }
        with working(ours):
            yield variables


@contextmanager
def working(variables: dict[str, str]) -> Iterator[None]:
    """Run a command worker, and define the demo data."""
    subprocess.run([*FAIRLINE, "migrate"], env=variables, check=True)
    log = Path(variables["FAIRLINE_DATA_DIR"]) / "worker.log"
    worker = Child(Launch([*FAIRLINE, "worker"], environment=variables, log=log))
    url = f"http://127.0.0.1:{variables['FAIRLINE_WORKER_PORT']}/readyz"
    deadline = time.monotonic() + READY_SECONDS_MAX
    try:
        while not answers_ok(url):
            assert worker.exit_code() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        subprocess.run([*FAIRLINE, "seed"], env=variables, check=True)
        yield
    finally:
        worker.stop(10)


def run(example: Example, environment: dict[str, str]) -> list[Any]:
    """Run an example in a shell or in Python, and return the JSON of each line that it prints."""
    program = {"sh": ["bash", "-c", example.text], "python": [sys.executable, "-c", example.text]}
    done = subprocess.run(
        program[example.language],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # `grep` says 1 where it finds nothing yet.
    assert done.returncode == 0 or (example.only_reads and not done.stdout), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_until_it_prints(
    example: Example, environment: dict[str, str], records: int = 1
) -> list[Any]:
    """Run an example; one that only reads is run again until so many records are there."""
    deadline = time.monotonic() + RESULT_SECONDS_MAX
    while True:
        printed = run(example, environment)
        if len(printed) >= records or not example.only_reads or time.monotonic() > deadline:
            return printed
        time.sleep(0.1)


def test_every_example_does_what_the_document_shows(environment: dict[str, str]) -> None:
    for example in examples():
        printed = run_until_it_prints(example, environment, 0 if example.output is None else 1)
        shown = [] if example.output is None else [json.loads(example.output)]
        if example.language == "python":
            # The program draws a new id each time, as programs should.
            printed[0]["commandId"] = shown[0]["commandId"]
        expected = without_changing(shown, CHANGING)
        assert without_changing(printed, CHANGING) == expected, example.heading


def test_a_command_that_is_sent_again_changes_nothing(environment: dict[str, str]) -> None:
    charge, result = (e for e in examples() if e.heading == "Charging with kcat")
    run(charge, environment)
    run(charge, environment)
    printed = run_until_it_prints(result, environment, records=2)
    assert [each["replayed"] for each in printed] == [False] + [True] * (len(printed) - 1)
    assert all(each["body"] == printed[0]["body"] for each in printed)
