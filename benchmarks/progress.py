"""What a run says while it goes: a line for each step, and how much time is left."""

import time


class Progress:
    """Holds the time that was planned against the time that it takes."""

    def __init__(self, planned_seconds: float) -> None:
        self._planned = planned_seconds
        self._done = 0.0
        self._started = time.monotonic()

    def step(self, planned_seconds: float, line: str) -> None:
        """Say what is done now; it was planned to take so long."""
        self._done += planned_seconds
        print(f"[{shown(self.left_seconds())} left] {line}", flush=True)

    def left_seconds(self) -> float:
        """What is planned yet, longer in proportion where the plan has been too short so far."""
        took = time.monotonic() - self._started
        return left(self._planned, self._done, took)


def left(planned_seconds: float, done_seconds: float, took_seconds: float) -> float:
    """The rest of a plan of which a part is done, and took so long."""
    late = max(1.0, took_seconds / done_seconds) if done_seconds else 1.0
    return max(0.0, planned_seconds - done_seconds) * late


def shown(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"
