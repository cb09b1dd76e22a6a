"""The arithmetic of the limits: what was told is read rightly, and counted for each command."""

import os
from pathlib import Path

import pytest

from app.services.jars import KAFKA_VERSION, pinned_jars
from benchmarks.limits import __main__ as limits
from benchmarks.limits import costs, drain, kafka_tools, metrics, reads
from benchmarks.limits.costs import Reading
from benchmarks.limits.drain import FAUST, Drained
from benchmarks.limits.literals import Script, literal
from benchmarks.limits.memory import unshared_bytes
from benchmarks.limits.options import SMOKE, Options
from benchmarks.limits.pin import PINS
from benchmarks.limits.reads import ReadRate
from benchmarks.limits.waiting import COUPONS, charges, code_of, issues_of_many, issues_of_one
from benchmarks.load import Answers
from benchmarks.rounds import Round

#   value                    as SQL
LITERALS = [
    (None, "NULL"),
    (True, "True"),
    (-7, "-7"),
    ("it's", "'it''s'"),
    (b"\x00'", r"'\x0027'"),
    ([1, None], "'{1,NULL}'"),
    (['a"b', "c\\d", "it's"], r"""'{"a\"b","c\\d","it''s"}'"""),
    ([b"\xff"], r"""'{"\\xff"}'"""),
]


@pytest.mark.parametrize(("value", "sql"), LITERALS)
def test_a_value_is_written_as_sql(value: object, sql: str) -> None:
    assert literal(value) == sql


def test_what_no_statement_has_is_refused() -> None:
    with pytest.raises(TypeError, match="dict"):
        literal({})


def test_a_statement_is_prepared_once_however_often_it_is_sent() -> None:
    script = Script()
    script.send("BEGIN")
    script.send("SELECT \n $1::INTEGER", (1,))
    script.send("SELECT \n $1::INTEGER", (2,))
    assert len(script) == 3
    assert script.lines() == [
        "PREPARE s0 AS SELECT $1::INTEGER;",
        "BEGIN;",
        "EXECUTE s0(1);",
        "EXECUTE s0(2);",
    ]


def test_the_last_word_of_the_producer_counts() -> None:
    output = (
        "499 records sent, 99.8 records/sec (0.01 MB/sec), 1.0 ms avg latency\n"
        "1000 records sent, 250.5 records/sec (0.03 MB/sec), 12.00 ms avg latency, 99 ms max\n"
    )
    assert kafka_tools.sent(output) == (1000, 250.5)
    assert kafka_tools.sent("it broke") == (0, 0.0)


def test_the_consumer_is_read_by_its_heads() -> None:
    output = (
        "start.time, end.time, data.consumed.in.nMsg, fetch.time.ms, fetch.nMsg.sec\n"
        "2026-11-23 13:00:00:000, 2026-11-23 13:00:01:000, 5001, 170, 29417.6\n"
    )
    assert kafka_tools.fetched(output) == (5001, 29417.6)


def test_the_tools_are_those_of_the_broker() -> None:
    (jar,) = pinned_jars(PINS)
    assert (jar.artifact, jar.version) == ("kafka-tools", KAFKA_VERSION)


METRICS = """\
# TYPE fairline_records_applied_total counter
fairline_records_applied_total{disposition="APPLIED"} 40.0
fairline_records_applied_total{disposition="REFUSED"} 2.0
fairline_records_applied_created{disposition="APPLIED"} 1.7e+09
fairline_lag_records{partition="0",topic="x-user-commands"} 0.0
fairline_lag_records{partition="5",topic="x-user-commands"} 9.0
fairline_lag_records{partition="5",topic="x-coupon-commands"} 0.0
"""


def test_a_counter_is_summed_over_its_labels_and_no_other_is() -> None:
    assert metrics.counted_in(METRICS, "fairline_records_applied_total") == 42
    assert metrics.counted_in(METRICS, "fairline_batches_total") == 0


def test_the_partitions_of_a_worker_are_those_whose_lag_it_tells() -> None:
    assert metrics.partitions_in(METRICS, "x-user-commands") == 2
    assert metrics.partitions_in(METRICS, "user-commands") == 0


def test_workers_are_counted_together_and_services_each() -> None:
    spent = {"0": 1.0, "1": 2.0, "database": 0.5}
    assert drain.by_part(spent, 1_000_000) == {"worker": 3.0, "database": 0.5}


@pytest.mark.parametrize(
    ("applied", "agrees", "is_fault"), [(9, True, False), (8, True, True), (9, False, True)]
)
def test_a_drain_that_does_not_add_up_is_a_fault(
    applied: int, agrees: bool, is_fault: bool
) -> None:
    assert bool(drain.fault_of(applied, 9, agrees=agrees)) == is_fault


def a_drain(work: str, by: str, seconds: float, worker_us: float) -> Drained:
    return Drained(work, by, 1000, seconds, {"worker": worker_us, "broker": 1.0})


def test_of_several_works_the_worst_is_told() -> None:
    found = drain.figures(
        [
            *(a_drain("charges", "1 worker", 1.0, 100), a_drain("charges", "2 workers", 0.6, 110)),
            *(a_drain("charges", FAUST, 0.5, 50), a_drain("issues", "1 worker", 2.0, 80)),
            *(a_drain("issues", "2 workers", 1.0, 96), a_drain("issues", FAUST, 0.5, 60)),
        ]
    )
    assert found == {
        "drain_charges_per_second": 1000,
        "drain_issues_per_second": 500,
        "drain_vs_faust": 0.25,
        "drain_vs_faust_cpu": 0.5,
        "two_workers_cpu_ratio": 1.2,
    }


def test_of_several_rounds_the_middle_is_told() -> None:
    rounds = [a_drain("charges", "1 worker", seconds, 100) for seconds in (1.0, 2.0, 10.0)]
    found = drain.figures([*rounds, a_drain("charges", FAUST, 1.0, 50)])
    assert found["drain_charges_per_second"] == 500
    assert "two_workers_cpu_ratio" not in found


def test_what_waits_is_another_command_each_time() -> None:
    issued = list(issues_of_many(COUPONS + 1, 50))
    assert len({(each.user_id, each.coupon_code) for each in issued}) == COUPONS + 1
    assert {each.coupon_code for each in issues_of_one(3, 1)} == {code_of(0)}
    assert code_of(0) not in {each.coupon_code for each in issued}
    assert len(list(charges(5))) == 5


def a_round(applied: int) -> Round:
    answers = Answers(2.0, {"200": applied}, 0, 1.0, 2.0, 3.0)
    used = {"edge": 0.1, "worker": 0.2}
    return Round("charge", "Fairline", 64, 1, answers, applied, [], 5, used, 0.0, 0.0)


def test_costs_are_told_for_each_command() -> None:
    earlier = Reading({"results": 10}, {"results": 100}, 1000, 3, 20, {"worker": 1})
    later = Reading(
        {"results": 210, "top": 0}, {"results": 40_100}, 31_000, 8, 220, {"worker": 31}
    )
    moved = costs.difference(later, earlier)
    cost = costs.cost_of(a_round(200), moved, {"edge": 2**20}, {"edge": 2**19})
    costs.add_trips(cost, a_round(100), moved)
    assert cost.cpu_us == pytest.approx({"edge": 500, "worker": 1000})
    assert (cost.kafka_records, cost.kafka_bytes) == ({"results": 1}, {"results": 200})
    assert (cost.wal_bytes, cost.batch_records, cost.transactions) == (150, 40, 0.025)
    assert (cost.resident_mb, cost.unshared_mb) == ({"edge": 1}, {"edge": 0.5})
    assert (cost.trips, cost.trips_per_batch) == ({"worker": 0.3}, 6)
    assert costs.figures([cost]) == {"cpu_ms_per_charge": pytest.approx(1.5)}


def test_the_logs_of_a_topic_are_summed_over_partitions_and_segments(tmp_path: Path) -> None:
    for name, size in (
        ("a-x-0/1.log", 3),
        ("a-x-0/2.log", 4),
        ("a-x-7/1.log", 5),
        ("b-0/1.log", 9),
    ):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"." * size)
        file.with_suffix(".index").write_bytes(b"..")
    assert costs.log_sizes(tmp_path, "a-") == {"a-x": 12}
    assert costs.log_sizes(None, "a-") == {}


def test_memory_of_our_own_is_told_and_of_nobody_is_not() -> None:
    found = unshared_bytes({"us": os.getpid(), "nobody": 2**22 + 1})
    if Path("/proc/self/smaps_rollup").exists():
        assert found["us"] > 2**20
    assert "nobody" not in found


def a_read(name: str, per_second: float, server_us: float) -> ReadRate:
    return ReadRate(name, per_second, 1.0, 2.0, {"server": server_us})


def test_reads_are_held_against_their_yardstick_of_the_same_round() -> None:
    rates = [
        *(a_read("bare", 100, 10), a_read("top", 50, 40)),
        *(a_read("query", 10, 90), a_read("balance", 20, 30)),
        *(a_read("bare", 1000, 10), a_read("top", 700, 20)),
        *(a_read("query", 10, 90), a_read("balance", 20, 30)),
        *(a_read("bare", 100, 10), a_read("top", 60, 25)),
        *(a_read("query", 10, 90), a_read("balance", 20, 30)),
    ]
    assert reads.figures(rates) == {
        "top_vs_bare": 0.6,
        "top_vs_bare_cpu": 0.4,
        "balance_vs_query": 2.0,
        "balance_vs_query_cpu": 3.0,
    }
    assert reads.middles(rates)["top"].per_second == 60


def test_the_command_line_says_only_what_is_other_than_usual() -> None:
    assert limits.options_of(limits.parse([])) == Options()
    assert limits.options_of(limits.parse(["--smoke"])) == SMOKE
    asked = limits.options_of(limits.parse(["drain", "costs", "--commands", "7"]))
    assert asked == Options(parts=("drain", "costs"), commands=7)
    with pytest.raises(SystemExit):
        limits.parse(["drane"])
