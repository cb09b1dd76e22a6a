"""`fairline` with an event loop that SIGUSR1 blocks for good, for tests of who notices."""

import signal
import time
from types import FrameType

from app.cli import main


def stand_still(_number: int, _frame: FrameType | None) -> None:
    """Keep the main thread, and with it the loop, from anything else."""
    time.sleep(600)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stand_still)
    main()
