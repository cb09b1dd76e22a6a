"""What a run is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How much is measured. The smoke figures say that all works, and the ratios about."""

    commands: int = 200_000
    """Waiting, for each drain."""
    rounds: int = 1
    """How often all sides take turns."""
    seconds: int = 10
    """Of a load over HTTP."""
    connections: int = 64


SMOKE = Options(commands=20_000, seconds=3)
