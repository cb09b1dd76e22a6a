"""`python -m tests.chaos.checker FOLDER`: the verdict of a run, for people and for exit codes."""

import sys
from pathlib import Path

from .verdict import check, described


def main(folder: str) -> int:
    """Check a folder; return the exit code."""
    verdict = check(Path(folder))
    for line in described(verdict):
        print(line)  # noqa: T201
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
