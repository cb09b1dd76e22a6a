"""What is simulated: where the walls stand, how latency grows, and what was really measured."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from benchmarks.scaling.costs import model_costs
from benchmarks.scaling.inputs import Inputs, Measured
from benchmarks.scaling.model import Costs, Load, Plant, Seen, simulate

WORKERS = (1, 2, 4, 8, 16, 32, 64)
HOT_SHARES = (0.0, 0.05, 0.2)
TRIED_WORKERS = (4, 8, 16)
LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.97)
RUSH_WORKERS = 16


class Top(msgspec.Struct):
    """The most that so many workers apply in a second."""

    workers: int
    orders: float
    """Commands of orders, spread over all partitions."""
    database_twice: float
    """The same with twice the database's cores and half the time for a commit."""
    one_coupon: float
    """Issues of one coupon: all in one partition."""


class Point(msgspec.Struct):
    """One rate that was offered, and what came of it; times in milliseconds."""

    workers: int
    hot_share: float
    offered: float
    per_second: float
    p50_ms: float
    p99_ms: float
    per_batch: float


class Retold(msgspec.Struct):
    """What was measured, and what the model says of the same."""

    measured: Measured
    per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def error(self) -> float:
        """How far the model's throughput is off, as a share of the measured one."""
        return self.per_second / self.measured.per_second - 1


class Scenes(msgspec.Struct):
    """Everything that was simulated."""

    tops: list[Top]
    orders: list[Point]
    rush: list[Point]
    retold: list[Retold]


def order_costs(inputs: Inputs) -> Costs:
    """Make the costs of a command of an order: half of them create, half pay."""
    one, two = (model_costs(inputs, kind) for kind in ("create", "pay"))
    names = Costs.__dataclass_fields__
    return Costs(**{name: (getattr(one, name) + getattr(two, name)) / 2 for name in names})


def play(inputs: Inputs, *, smoke: bool, say: Callable[[str], None] = print) -> Scenes:
    """Simulate everything; a smoke run has few points and short runs."""
    orders, issue = order_costs(inputs), model_costs(inputs, "issue")
    seconds = 0.4 if smoke else 2.0
    tops = []
    for workers in WORKERS[:2] if smoke else WORKERS:
        tops.append(_top(workers, orders, issue, seconds))
        say(f"{workers} workers: {tops[-1].orders:,.0f} commands/s")
    shares = HOT_SHARES[:2] if smoke else HOT_SHARES
    return Scenes(
        tops=tops,
        orders=[
            point
            for workers in (TRIED_WORKERS[:1] if smoke else TRIED_WORKERS)
            for point in _points(Plant(workers), orders, 0.0, (seconds, smoke))
        ],
        rush=[
            point
            for share in shares
            for point in _points(Plant(RUSH_WORKERS), issue, share, (seconds, smoke))
        ],
        retold=[retell(inputs, each) for each in inputs.measured],
    )


def _top(workers: int, orders: Costs, issue: Costs, seconds: float) -> Top:
    twice = replace(orders, commit=orders.commit / 2)
    return Top(
        workers=workers,
        orders=most(Plant(workers), orders, 0.0, seconds),
        database_twice=most(Plant(workers, database_cores=32), twice, 0.0, seconds),
        one_coupon=most(Plant(workers), issue, 1.0, seconds),
    )


def most(plant: Plant, costs: Costs, hot_share: float, seconds: float) -> float:
    """Tell how much a plant applies in a second when twice as much waits as it can take."""
    load = Load(clients=2 * plant.batch_max * plant.workers, hot_share=hot_share)
    return simulate(plant, costs, load, seconds=seconds, first=seconds / 3).per_second


def _points(
    plant: Plant, costs: Costs, hot_share: float, how: tuple[float, bool]
) -> Iterator[Point]:
    seconds, smoke = how
    top = most(plant, costs, 0.0, seconds)
    for share in LOADS[:2] if smoke else LOADS:
        load = Load(share * top, hot_share=hot_share)
        seen = simulate(plant, costs, load, seconds=seconds, first=seconds / 3)
        yield Point(
            workers=plant.workers,
            hot_share=hot_share,
            offered=load.per_second,
            per_second=seen.per_second,
            p50_ms=_ms(seen, 0.5),
            p99_ms=_ms(seen, 0.99),
            per_batch=seen.per_batch,
        )


def retell(inputs: Inputs, each: Measured) -> Retold:
    """Simulate what was measured: everything on the cores of one machine."""
    plant = Plant(each.workers, partitions=8, shared_cores=each.cores)
    load = Load(clients=each.clients, hot_share=float(each.kind == "issue"))
    seen = simulate(plant, model_costs(inputs, each.kind), load, seconds=6.0, first=2.0)
    return Retold(each, seen.per_second, _ms(seen, 0.5), _ms(seen, 0.99))


def _ms(seen: Seen, share: float) -> float:
    return seen.quantile(share) * 1e3
