"""The measured figures that everything here rests on, from one file: `inputs.json`.

Newer measurements are written there, and `python -m benchmarks.scaling --publish` does the rest.
"""

from pathlib import Path

import msgspec

FILE = Path(__file__).resolve().parent / "inputs.json"


class Source(msgspec.Struct):
    """Where figures come from."""

    date: str
    command: str
    note: str = ""


class Processes(msgspec.Struct):
    """CPU milliseconds for each command of each process, at load, in batches of one size."""

    batch_size: float
    edge_ms: float
    worker_ms: float
    database_ms: float
    broker_ms: float


class Body(msgspec.Struct):
    """One batch size of one kind of command, without Kafka and Faust; CPU for each command.

    What `benchmarks/limits` prints has more fields; these are the ones that count here.
    """

    kind: str
    batch_size: int
    worker_us: float
    database_us: float


class Measured(msgspec.Struct):
    """What a whole installation did on one machine of `cores`, for the model to tell again."""

    name: str
    kind: str
    workers: int
    clients: int
    cores: int
    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None


class Inputs(msgspec.Struct):
    """All of it. `single_p50_ms` is one request at a time, nothing else under way."""

    processes: dict[str, Processes]
    processes_from: Source
    body: list[Body]
    body_from: Source
    commits_per_second: float
    commits_from: Source
    single_p50_ms: float
    single_from: Source
    measured: list[Measured]
    measured_from: Source


def read(file: Path = FILE) -> Inputs:
    """Read the figures; a field that is missing or of another type is an error."""
    return msgspec.json.decode(file.read_bytes(), type=Inputs)
