"""Logs: one line per event, ours in full, the libraries' only when they matter."""

import subprocess
import sys

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
