"""Logs: one line per event, ours in full, the libraries' only when they matter."""

import logging
import subprocess
import sys

from app.logs import REPEAT_SECONDS, Repetitions

SCRIPT = """
import logging
import structlog
from app.logs import configure_logs
configure_logs("INFO", "edge")
structlog.get_logger("app.services.keep").warning("left", child="kafka", exit_code=-9)
logging.getLogger("storage.engine").info("ready on %s", "sqlite")
logging.getLogger("storage.engine").debug("too much")
logging.getLogger("aiokafka.conn").info("of no interest")
logging.getLogger("aiokafka.conn").warning("of interest")
logging.getLogger("aiokafka").error("[Error 15] GroupCoordinatorNotAvailableError")
logging.getLogger("streams.app").info("[^-Consumer]: Starting...")
try:
    password = "s3cret"
    raise LookupError("gone")
except LookupError:
    logging.getLogger("web.edge").exception("failed")
"""


def test_logs_are_readable_lines_without_noise_and_without_secrets() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    events = [line.partition(" ")[2] for line in done.stderr.splitlines() if line[:1].isdigit()]
    assert events == [
        "[warning] left process=edge child=kafka exit_code=-9",
        "[info] ready on sqlite process=edge",
        "[warning] of interest process=edge",
        "[error] failed process=edge",
    ]
    assert "LookupError: gone" in done.stderr
    assert "s3cret" not in done.stderr


def _record(name: str, text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)


def test_a_library_says_the_same_thing_once_in_a_while_and_how_often_it_wanted_to() -> None:
    times = iter([0.0, 0.1, 0.2, 0.3, REPEAT_SECONDS, REPEAT_SECONDS + 0.1])
    shown = Repetitions(clock=lambda: next(times))
    said = [_record("aiokafka", "cannot connect to %s", "1") for _ in range(5)]
    other = _record("aiokafka", "cannot connect to %s", "2")
    results = [shown(said[0]), shown(said[1]), shown(other), shown(said[2]), shown(said[3])]
    assert results == [True, False, True, False, True]
    assert said[3].getMessage() == "cannot connect to 1 (2 more like it)"
    assert not shown(said[4])


def test_what_we_say_ourselves_is_always_shown() -> None:
    shown = Repetitions(clock=lambda: 0.0)
    assert [shown(_record("streams.applying", "waiting")) for _ in range(3)] == [True] * 3
