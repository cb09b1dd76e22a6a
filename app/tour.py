"""The tour of all eight use cases: commands to paste into a second terminal, one by one."""

import shlex
import shutil
import sys
from pathlib import Path

TOUR = Path(__file__).with_name("tour.sh")
URL = "http://127.0.0.1:8080"
"""The address that the tour is written for; the README shows it so."""


def tour(url: str, data_dir: Path) -> str:
    """All eight commands for an edge at this URL, ready to be pasted into a shell."""
    return TOUR.read_text().replace(URL, url).replace("\nfairline ", f"\n{_fairline(data_dir)} ")


def _fairline(data_dir: Path) -> str:
    """The words that run us on this data folder, in a shell that knows nothing of ours."""
    program = Path(sys.executable).with_name("fairline")
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    word = "fairline" if shutil.which("fairline") else shlex.quote(str(program))
    default = data_dir.absolute() == Path(".fairline").absolute()
    return word if default else f"FAIRLINE_DATA_DIR={shlex.quote(str(data_dir.absolute()))} {word}"
