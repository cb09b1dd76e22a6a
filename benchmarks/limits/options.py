"""What a run is asked for."""

from dataclasses import dataclass

ALL_PARTS = ("batch", "pgbench", "kafka", "reads", "drain", "costs")


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    parts: tuple[str, ...] = ALL_PARTS
    commands: int = 200_000
    """Waiting, for each drain; and written and read by Kafka's own tools."""
    rounds: int = 1
    """How often those who drain take turns."""
    seconds: int = 10
    """Of a load over HTTP."""
    connections: int = 64
    read_rounds: int = 5
    batch_kinds: tuple[str, ...] = ("charge", "issue", "create", "pay", "cancel")
    batch_sizes: tuple[int, ...] = (1, 64, 500)
    """Of the batch body, and of pgbench, which does the same without its Python."""


SMOKE = Options(
    commands=20_000,
    seconds=2,
    read_rounds=2,
    batch_kinds=("charge", "issue"),
    batch_sizes=(500,),
)
"""Shows that everything works, and the ratios roughly."""
