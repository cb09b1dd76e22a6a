"""From measured figures to the costs of one command and of one batch."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.scaling.inputs import Body, Inputs
from benchmarks.scaling.model import Costs

LIKE = {"charge": "charge", "issue": "issue", "create": "charge", "pay": "charge"}
"""Whose processes' figures stand for a kind, where only its batch body was measured."""


class Line(NamedTuple):
    """A cost that is so much for each batch, and so much for each command in it."""

    batch: float
    command: float

    def each(self, batch_size: float) -> float:
        """What a command costs in a batch of this size."""
        return self.command + self.batch / batch_size


def line_through(points: Sequence[tuple[float, float]]) -> Line:
    """Fit what a command costs in batches of some sizes: (size, cost of each command).

    A small batch and a large one count alike: it is the relative error that is made small.
    """
    # cost = command + batch / size; both sides are divided by cost, then it is least squares.
    rows = [(1 / cost, 1 / (size * cost)) for size, cost in points]
    one_one = sum(one * one for one, _ in rows)
    one_two = sum(one * two for one, two in rows)
    two_two = sum(two * two for _, two in rows)
    one, two = sum(one for one, _ in rows), sum(two for _, two in rows)
    below = one_one * two_two - one_two * one_two
    command = (one * two_two - two * one_two) / below
    return Line(batch=(two * one_one - one * one_two) / below, command=max(command, 0.0))


class Kind(NamedTuple):
    """What one kind of command costs each process, in milliseconds."""

    edge: float
    broker: float
    worker: Line
    database: Line


def kinds(inputs: Inputs) -> dict[str, Kind]:
    """Tell what every kind costs.

    The batch body gives the part that a batch shares. What a process takes besides (Kafka, Faust,
    publishing; the database's other processes) is the rest of the published figure; it is counted
    for each command, which is too much where batches grow, so it errs on the careful side.
    """
    return {kind: _kind(inputs, kind, like) for kind, like in LIKE.items()}


def _kind(inputs: Inputs, kind: str, like: str) -> Kind:
    whole = inputs.processes[like]
    worker, database = _body(inputs.body, kind)
    rests = [
        max(published - line.each(whole.batch_size), 0.0)
        for published, line in zip(
            (whole.worker_ms, whole.database_ms), _body(inputs.body, like), strict=True
        )
    ]
    return Kind(
        edge=whole.edge_ms,
        broker=whole.broker_ms,
        worker=Line(worker.batch, worker.command + rests[0]),
        database=Line(database.batch, database.command + rests[1]),
    )


def _body(rows: Sequence[Body], kind: str) -> tuple[Line, Line]:
    mine = [row for row in rows if row.kind == kind]
    worker = line_through([(row.batch_size, row.worker_us / 1e3) for row in mine])
    return worker, line_through([(row.batch_size, row.database_us / 1e3) for row in mine])


def model_costs(inputs: Inputs, kind: str) -> Costs:
    """Make the model's costs of one kind, in seconds.

    What one request alone took, less all work, is what passes elsewhere.
    """
    cost = kinds(inputs)[kind]
    commit_ms = 1e3 / inputs.commits_per_second
    work = cost.edge + cost.broker + cost.worker.each(1) + cost.database.each(1) + commit_ms
    return Costs(
        worker_batch=cost.worker.batch / 1e3,
        worker_command=cost.worker.command / 1e3,
        database_batch=cost.database.batch / 1e3,
        database_command=cost.database.command / 1e3,
        commit=commit_ms / 1e3,
        edge=(cost.edge + cost.broker) / 1e3,
        elsewhere=max(inputs.single_p50_ms - work, 0.0) / 1e3,
    )
