"""The model of more machines keeps the laws that any queue keeps; its tables are its inputs'."""

from dataclasses import replace

import pytest

from benchmarks.scaling.model import Costs, Load, Plant, Seen, simulate

COSTS = Costs(
    worker_batch=0.04,
    worker_command=0.002,
    database_batch=0.02,
    database_command=0.0005,
    commit=0.002,
    edge=0.003,
    elsewhere=0.05,
)
FAST_DATABASE = replace(COSTS, database_batch=0.0, database_command=0.0, commit=0.0)
ALONE = 0.003 + 0.05 + 0.04 + 0.002 + 0.02 + 0.0005 + 0.002
FULL = 0.04 + 0.002 * 50 + 0.02 + 0.0005 * 50 + 0.002
"""A full batch of 50, from its first step to its last."""


def plant_of(workers: int, shared_cores: int | None = None) -> Plant:
    """Make a plant whose batches are soon full."""
    return Plant(workers, batch_max=50, shared_cores=shared_cores)


def overloaded(workers: int, costs: Costs = COSTS, hot_share: float = 0.0) -> Seen:
    """Let more wait at any time than could be applied at once."""
    load = Load(clients=400 * workers, hot_share=hot_share)
    return simulate(plant_of(workers), costs, load, seconds=12.0, first=4.0)


@pytest.mark.parametrize("shared_cores", [None, 2])
def test_a_command_alone_takes_the_sum_of_all_services(shared_cores: int | None) -> None:
    seen = simulate(plant_of(1, shared_cores), COSTS, Load(clients=1), seconds=10.0)
    assert seen.quantile(0) == pytest.approx(ALONE)
    assert seen.quantile(1) == pytest.approx(ALONE)
    assert seen.per_second == pytest.approx(1 / ALONE, rel=0.02)
    assert seen.per_batch == 1


@pytest.mark.parametrize(
    ("load", "workers"),
    [(Load(200), 1), (Load(1_000, hot_share=0.1), 8), (Load(clients=64), 2)],
)
def test_littles_law_holds(load: Load, workers: int) -> None:
    seen = simulate(plant_of(workers), COSTS, load, seconds=20.0)
    assert seen.under_way == pytest.approx(seen.per_second * seen.mean, rel=0.02)


def test_what_is_offered_is_applied_while_there_is_room() -> None:
    seen = simulate(plant_of(8), COSTS, Load(800), seconds=12.0, first=2.0)
    assert seen.per_second == pytest.approx(800, rel=0.04)


def test_a_worker_that_is_full_applies_full_batches_one_after_the_other() -> None:
    seen = overloaded(1)
    assert seen.per_batch == 50
    assert seen.per_second == pytest.approx(50 / FULL, rel=0.03)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_twice_the_workers_apply_twice_as_much_before_the_database_is_full(workers: int) -> None:
    one, two = (overloaded(n, FAST_DATABASE).per_second for n in (workers, 2 * workers))
    assert two / one == pytest.approx(2, rel=0.05)


def test_past_the_databases_wall_more_workers_give_nothing() -> None:
    slow = replace(COSTS, commit=0.2)
    for workers in (4, 8):
        assert overloaded(workers, slow).per_second == pytest.approx(50 / 0.2, rel=0.05)


def test_the_hot_partitions_limit_does_not_move_with_the_workers() -> None:
    for workers in (1, 2, 8):
        alone = overloaded(workers, hot_share=1.0)
        assert alone.hot_per_second == pytest.approx(50 / FULL, rel=0.03)


def test_a_hot_key_bounds_itself_and_not_the_others() -> None:
    load = Load(1_000, hot_share=0.5)
    seen = simulate(plant_of(16), COSTS, load, seconds=8.0, first=2.0)
    assert seen.hot_per_second == pytest.approx(50 / FULL, rel=0.05)
    assert seen.per_second - seen.hot_per_second == pytest.approx(500, rel=0.1)


def test_on_one_machine_everybody_shares_its_cores() -> None:
    load = Load(clients=2_000)
    seen = simulate(plant_of(4, shared_cores=2), COSTS, load, seconds=30.0, first=5.0)
    work = 0.003 + 0.002 + 0.0005 + (0.04 + 0.02) / seen.per_batch
    assert seen.per_second == pytest.approx(2 / work, rel=0.05)


def test_the_same_run_is_the_same() -> None:
    load = Load(300, hot_share=0.2)
    one, two = (simulate(plant_of(2), COSTS, load) for _ in range(2))
    assert one.latencies == two.latencies != []
