"""A data folder that one process at a time may use."""

import fcntl
import os
from pathlib import Path
from typing import Self

from app.services.errors import StartError


class FolderLock:
    """Held from `take` until `release`, or until the process dies, however it dies."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Make the folder and lock it; StartError says who holds it, or why it cannot be."""
        file = _open(folder)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            message = f"{folder} is in use by process {holder(folder)}: stop that one first"
            raise StartError(message) from None
        os.pwrite(file, f"{os.getpid():>10}\n".encode(), 0)
        return cls(file)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._file)


def holder(folder: Path) -> int | None:
    """The process that holds the folder's lock, or None when nobody does."""
    try:
        file = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return int(os.pread(file, 20, 0).strip() or 0)
    finally:
        os.close(file)
    return None


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"cannot write to {folder} ({error.strerror}): set FAIRLINE_DATA_DIR"
        raise StartError(message) from error
