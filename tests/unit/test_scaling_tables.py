"""What docs/scaling.md says follows from the measured figures, and from nothing else."""

from random import Random

import pytest

from benchmarks.scaling import tables
from benchmarks.scaling.capacity import displaced, need, partitions_for
from benchmarks.scaling.costs import Kind, Line, kinds, line_through, model_costs
from benchmarks.scaling.inputs import read
from benchmarks.scaling.scenes import play

PAGE = tables.PAGE.read_text()


@pytest.mark.parametrize("name", tables.of_inputs(read()))
def test_the_page_has_the_tables_of_the_inputs(name: str) -> None:
    text = tables.of_inputs(read())[name]
    assert tables.written(PAGE, name, text) == PAGE, "python -m benchmarks.scaling --publish"


def test_a_page_without_the_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="no place for costs"):
        tables.written("<!-- costs: begin -->", "costs", "text")


def test_a_line_through_points_of_a_line_is_that_line() -> None:
    points = [(size, 0.2 + 5.0 / size) for size in (1, 8, 32, 500)]
    assert line_through(points) == pytest.approx(Line(batch=5.0, command=0.2))


def test_costs_at_the_published_batch_size_are_the_published_ones() -> None:
    inputs = read()
    for name, kind in kinds(inputs).items():
        if name in inputs.processes:
            whole = inputs.processes[name]
            assert kind.worker.each(whole.batch_size) == pytest.approx(whole.worker_ms)
            assert kind.database.each(whole.batch_size) == pytest.approx(whole.database_ms)


def test_a_request_alone_takes_as_long_in_the_model_as_it_was_measured() -> None:
    inputs = read()
    costs = model_costs(inputs, "charge")
    seconds = [getattr(costs, name) for name in costs.__dataclass_fields__]
    assert 1e3 * sum(seconds) == pytest.approx(inputs.single_p50_ms)


def test_an_order_needs_what_its_two_commands_cost() -> None:
    kind = Kind(edge=0.2, broker=0.1, worker=Line(1.0, 0.3), database=Line(2.0, 0.1))
    found = need({"create": kind, "pay": kind}, orders=1_000, batch_size=10)
    # At 70 % of a core: 1,000 orders are 2,000 commands, of 0.2, 0.4, 0.3 and 0.1 ms.
    assert found[2:] == (1, 2, 1, 1, 200)
    assert need({"create": kind, "pay": kind}, 6_900, 10)[2:6] == (4, 8, 6, 2)


@pytest.mark.parametrize("workers", [1, 3, 15, 144])
def test_no_worker_has_a_quarter_more_partitions_than_another(workers: int) -> None:
    few, more = divmod(partitions_for(workers), workers)
    assert few >= 4
    assert few + bool(more) <= 1.25 * few


def test_sub_quotas_pass_over_as_many_as_chance_has_it() -> None:
    chance, copies, quotas, runs = Random(5), 2_000, 8, 100
    passed_over = 0
    for _ in range(runs):
        counts = [0] * quotas
        for _ in range(copies):
            counts[chance.randrange(quotas)] += 1
        passed_over += sum(max(count - copies // quotas, 0) for count in counts)
    assert passed_over / runs == pytest.approx(displaced(copies, quotas), rel=0.05)


def test_the_model_tells_again_what_was_measured() -> None:
    scenes = play(read(), smoke=True, say=lambda _: None)
    assert scenes.retold
    assert all(abs(each.error) < 0.25 for each in scenes.retold)
