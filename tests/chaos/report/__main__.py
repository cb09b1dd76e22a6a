"""`python -m tests.chaos.report FOLDER`: writes the report of a run; exits as the checker does."""

import sys
from pathlib import Path

from tests.chaos.checker.verdict import described
from tests.chaos.report import write_report


def main(folder: Path) -> int:
    """Write both reports, and tell the verdict; return the checker's exit code."""
    verdict = write_report(folder)
    for line in described(verdict):
        print(line)  # noqa: T201
    print(f"report: {folder / 'report.html'}")  # noqa: T201
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
