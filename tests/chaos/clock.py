"""A process of ours with a clock that is wrong: `python -m tests.chaos.clock WORDS...`.

All of its Python code reads the time through `time.time` and `time.time_ns`. Both are moved by
what stands in the file that CHAOS_CLOCK names, eight bytes of nanoseconds, which may change at
any moment. The monotonic clock stays right, as it does where somebody sets a machine's clock.
"""

import mmap
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CHAOS_CLOCK"


def set_skew(file: Path, seconds: float) -> None:
    """Let every process that reads this file be so many seconds ahead."""
    with file.open("r+b" if file.exists() else "w+b") as clock:
        clock.write(struct.pack("q", int(seconds * 1e9)))


def skewed(file: Path) -> tuple[Callable[[], int], Callable[[], float]]:
    """Make the two functions that tell the wrong time: in nanoseconds, and in seconds."""
    true_ns = time.time_ns
    with file.open("r+b") as clock:
        shared = mmap.mmap(clock.fileno(), 8)

    def time_ns() -> int:
        skew_ns: int = struct.unpack("q", shared[:8])[0]
        return true_ns() + skew_ns

    return time_ns, lambda: time_ns() / 1e9


if __name__ == "__main__":
    # Before anything of ours is imported: `from time import time_ns` must find these.
    time.time_ns, time.time = skewed(Path(os.environ[VARIABLE]))
    sys.argv[0] = "fairline"
    from app.cli import main

    main()
