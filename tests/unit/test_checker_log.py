"""The checker finds what is wrong with the log, and what clients were told of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.sample.folder import Folder, new_id, place_of, rules_broken_by, value_of
from tests.chaos.sample.run import write_sample
from tests.chaos.sample.shop import Json

LOG, RESULTS = "database/command_log", "topics/command-results"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, 700)
    return folder


def repeated(folder: Folder, channel: str) -> tuple[Json, Json]:
    """An attempt that came again and was answered, and its row."""
    for row in folder.rows(disposition="REPEATED", status=200):
        for line in folder.lines("history", lambda line: line["channel"] == channel):
            if (
                line["commandId"] == row["command_id"]
                and line["retryOf"]
                and (line["place"] == place_of(row) or channel == "http")
            ):
                return line, row
    raise AssertionError(channel)


def at(row: Json) -> Callable[[Json], bool]:
    return lambda line: line["partition"] == row["partition"] and line["offset"] == row["offset"]


def told_of(row: Json) -> Callable[[Json], bool]:
    return lambda line: place_of(row).items() <= value_of(line).items()


def topic_of(row: Json) -> str:
    return f"topics/{row['topic'].removeprefix('x-')}"


def a_row_is_lost(folder: Folder) -> None:
    _, row = repeated(folder, "http")
    folder.drop(LOG, lambda line: line["id"] == row["id"])
    folder.drop(RESULTS, told_of(row))


def a_record_is_applied_twice(folder: Folder) -> None:
    row = folder.rows(disposition="REPEATED")[0]
    folder.add(LOG, row | {"id": 10**9})


def a_row_has_no_record(folder: Folder) -> None:
    _, row = repeated(folder, "http")
    folder.drop(topic_of(row), at(row))


def a_row_has_another_key(folder: Folder) -> None:
    row = folder.rows(disposition="APPLIED")[3]
    folder.change(LOG, lambda line: line["id"] == row["id"], lambda _: {"key": "4711"})


def a_row_has_another_time(folder: Folder) -> None:
    row = folder.rows(type="ChargeBalance", disposition="APPLIED")[3]
    folder.change(LOG, lambda line: line["id"] == row["id"], lambda _: {"accepted_at_ms": 7})


def a_repeat_is_decided_again(folder: Folder) -> None:
    row = folder.rows(type="RestockProduct", disposition="REPEATED")[0]
    folder.change(LOG, lambda line: line["id"] == row["id"], lambda _: {"disposition": "REFUSED"})
    folder.change_values(
        "command-results",
        lambda v: place_of(row).items() <= v.items(),
        lambda _: {"replayed": False},
    )


def a_claim_is_of_another_place(folder: Folder) -> None:
    row = folder.rows(disposition="APPLIED")[3]
    folder.change(
        "database/command_ids",
        lambda line: line["command_id"] == row["command_id"],
        lambda _: {"offset": 10**6},
    )


def a_claim_is_of_nothing(folder: Folder) -> None:
    claim = folder.first("database/command_ids")
    folder.add("database/command_ids", claim | {"command_id": new_id()})


def a_repeat_has_another_outcome(folder: Folder) -> None:
    row = folder.rows(disposition="REPEATED", type="ChargeBalance", status=200)[0]
    body = '{"balance": 1}'
    folder.change(LOG, lambda line: line["id"] == row["id"], lambda _: {"body": body})
    folder.change_values(
        "command-results",
        lambda value: place_of(row).items() <= value.items(),
        lambda _: {"body": {"balance": 1}},
    )


def a_result_is_lost(folder: Folder) -> None:
    folder.drop(RESULTS, told_of(folder.rows(disposition="APPLIED")[3]))


def a_result_tells_something_else(folder: Folder) -> None:
    row = folder.rows(disposition="APPLIED")[3]
    folder.change_values(
        "command-results", lambda v: place_of(row).items() <= v.items(), lambda _: {"status": 500}
    )


def a_result_comes_again_changed(folder: Folder) -> None:
    record = folder.first(RESULTS)
    changed = {"offset": 10**6, "value": record["value"].replace("null", '"t"', 1)}
    folder.add(RESULTS, record | changed)


def an_acknowledged_command_is_missing(folder: Folder) -> None:
    line, _ = repeated(folder, "http")
    other = {"commandId": new_id(), "idempotencyKey": new_id()}
    folder.change("history", lambda each: each["number"] == line["number"], lambda _: other)


def an_acknowledged_record_is_missing(folder: Folder) -> None:
    _, row = repeated(folder, "kafka")
    folder.drop(LOG, lambda line: line["id"] == row["id"])
    folder.drop(RESULTS, told_of(row))
    folder.drop(topic_of(row), at(row))


def two_clients_hear_two_outcomes(folder: Folder) -> None:
    number = folder.once()["number"]
    folder.change("history", lambda line: line["number"] == number, lambda _: {"body": {}})


def who_asks_hears_another_outcome(folder: Folder) -> None:
    ask = folder.first("history", lambda line: line["type"] == "Ask")
    body = {**ask["body"], "status": 418}
    folder.change(
        "history", lambda line: line["number"] == ask["number"], lambda _: {"body": body}
    )


def an_id_is_forgotten(folder: Folder) -> None:
    ask = folder.lines("history", lambda line: line["type"] == "Ask")[-1]
    gone = {"status": 404, "body": {"code": "COMMAND_NOT_FOUND"}, "sentAtMs": 10**15}
    folder.change("history", lambda line: line["number"] == ask["number"], lambda _: gone)


def what_is_done_is_pending_again(folder: Folder) -> None:
    ask = folder.lines("history", lambda line: line["type"] == "Ask")[-1]
    pending = {"body": {"state": "PENDING", "status": None, "body": None}, "sentAtMs": 10**15}
    folder.change("history", lambda line: line["number"] == ask["number"], lambda _: pending)


def one_key_is_two_commands(folder: Folder) -> None:
    line = folder.once()
    twin = line | {"number": 10**6, "commandId": new_id(), "status": 202, "ack": "unknown"}
    folder.add("history", twin)


def a_refused_command_is_applied(folder: Folder) -> None:
    number = folder.once()["number"]
    refused = {"ack": "refused", "status": 429, "body": None}
    folder.change("history", lambda line: line["number"] == number, lambda _: refused)


def a_command_comes_from_nowhere(folder: Folder) -> None:
    number = folder.once()["number"]
    folder.drop("history", lambda line: line["number"] == number)


def a_silent_request_is_carried_out_twice(folder: Folder) -> None:
    """Of one request that heard nothing there are two commands: here, of two one is taken away."""
    known = {line["commandId"] for line in folder.lines("history")}
    row = next(row for row in folder.rows() if row["command_id"] not in {None, *known})
    payload = json.loads(row["payload"])
    folder.drop("history", lambda line: {"extra": None, **line["payload"]} == payload)


DEFECTS = {
    a_row_is_lost: {"every_record_has_one_row"},
    a_record_is_applied_twice: {"every_record_has_one_row"},
    a_row_has_no_record: {"every_row_has_its_record"},
    a_row_has_another_key: {"rows_say_what_their_records_say"},
    a_row_has_another_time: {"rows_have_the_brokers_time"},
    a_repeat_is_decided_again: {"every_command_has_one_first_row", "claims_name_the_first_rows"},
    a_claim_is_of_another_place: {"claims_name_the_first_rows"},
    a_claim_is_of_nothing: {"claims_name_the_first_rows"},
    a_repeat_has_another_outcome: {"repeats_have_the_first_outcome"},
    a_result_is_lost: {"every_row_has_a_result"},
    a_result_tells_something_else: {"results_say_what_rows_say"},
    a_result_comes_again_changed: {"results_come_again_unchanged"},
    an_acknowledged_command_is_missing: {"an_acknowledged_command_is_applied"},
    an_acknowledged_record_is_missing: {"an_acknowledged_record_is_in_the_log"},
    two_clients_hear_two_outcomes: {"answers_tell_the_outcome"},
    who_asks_hears_another_outcome: {"whoever_asks_hears_the_outcome"},
    an_id_is_forgotten: {"an_acknowledged_id_stays_known"},
    what_is_done_is_pending_again: {"an_acknowledged_id_stays_known"},
    one_key_is_two_commands: {"one_idempotency_key_is_one_command"},
    a_refused_command_is_applied: {"what_was_refused_left_nothing"},
    a_command_comes_from_nowhere: {"every_command_was_sent"},
    a_silent_request_is_carried_out_twice: {"every_command_was_sent"},
}


@pytest.mark.parametrize(("plant", "expected"), DEFECTS.items())
def test_a_defect_is_found_by_its_rule(
    sample: Path, tmp_path: Path, plant: Callable[[Folder], None], expected: set[str]
) -> None:
    assert rules_broken_by(plant, Folder(sample, tmp_path / "copy")) == expected
