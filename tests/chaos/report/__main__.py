"""`python -m tests.chaos.report FOLDER`: writes the report of a run; exits as the checker does."""

import sys
from pathlib import Path

from tests.chaos.report import write_report


def main(folder: Path) -> int:
    """Write both reports; return the checker's exit code."""
    verdict = write_report(folder)
    print(f"{folder / 'report.html'}: {len(verdict.violations)} violations")  # noqa: T201
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
