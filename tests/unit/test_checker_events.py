"""The checker finds what is wrong with events, ranking and dead letters."""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.sample.folder import Folder, place_of, rules_broken_by, value_of
from tests.chaos.sample.run import write_sample
from tests.chaos.sample.shop import Json

PAID, SALES, LETTERS = "topics/order-events", "topics/product-sales", "topics/dead-letters"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, 500)
    return folder


def is_event(event_id: str) -> Callable[[Json], bool]:
    return lambda value: value["eventId"] == event_id


def of_event(event_id: str) -> Callable[[Json], bool]:
    return lambda line: value_of(line)["eventId"] == event_id


def first_id(folder: Folder, topic: str) -> str:
    event_id: str = value_of(folder.first(topic))["eventId"]
    return event_id


def payment(folder: Folder) -> Json:
    """The first record of a payment."""
    return folder.first(PAID, lambda line: value_of(line)["type"] == "OrderPaid")


def a_payment_is_not_told(folder: Folder) -> None:
    folder.drop(PAID, of_event(value_of(payment(folder))["eventId"]))


def a_sale_is_not_told(folder: Folder) -> None:
    folder.drop(SALES, of_event(first_id(folder, SALES)))


def an_event_comes_again_changed(folder: Folder) -> None:
    record = folder.first(PAID)
    changed = json.dumps({**value_of(record), "more": 1})
    folder.add(PAID, record | {"offset": 10**6, "value": changed})


def an_event_comes_again_on_another_key(folder: Folder) -> None:
    record = folder.first(PAID)
    folder.add(PAID, record | {"offset": 10**6, "key": "zzz"})


def a_payment_is_told_twice(folder: Folder) -> None:
    record = payment(folder)
    event = value_of(record)
    other = json.dumps({**event, "eventId": event["eventId"] + "1"})
    folder.add(PAID, record | {"offset": 10**6, "value": other})


def an_event_tells_another_amount(folder: Folder) -> None:
    event_id = first_id(folder, PAID)
    folder.change_values("order-events", is_event(event_id), lambda _: {"discountAmount": 7})


def a_sale_is_of_another_time(folder: Folder) -> None:
    event_id = first_id(folder, SALES)
    folder.change(SALES, of_event(event_id), lambda _: {"timestampMs": 7})


def an_event_names_another_command(folder: Folder) -> None:
    event_id = first_id(folder, PAID)
    folder.change_values(
        "order-events",
        is_event(event_id),
        lambda value: {"source": {**value["source"], "partition": 99}},
    )


def events_are_out_of_order(folder: Folder) -> None:
    swap(folder, PAID)


def results_are_out_of_order(folder: Folder) -> None:
    swap(folder, "topics/command-results")


def swap(folder: Folder, topic: str) -> None:
    """Let the first two records of one source partition, each told once, change places."""
    lines = folder.lines(topic, lambda line: line["partition"] == 0)
    sources = [value_of(line).get("source") or place_of(value_of(line)) for line in lines]
    first = sources[0]
    one, two = [
        line
        for line, source in zip(lines, sources, strict=True)
        if sources.count(source) == 1
        and all(source[name] == first[name] for name in ("topic", "partition"))
    ][:2]
    swapped = {
        each["offset"]: {n: other[n] for n in ("key", "value", "timestampMs")}
        for each, other in ((one, two), (two, one))
    }
    folder.change(
        topic,
        lambda line: line["partition"] == 0 and line["offset"] in swapped,
        lambda line: swapped[line["offset"]],
    )


def the_ranking_is_off_by_one(folder: Folder) -> None:
    def more(said: Json) -> Json:
        first, *others = said["top"]
        return {"top": [{**first, "quantity": first["quantity"] + 1}, *others]}

    folder.change_object("ranking", more)


def the_ranking_lacks_its_last(folder: Folder) -> None:
    folder.change_object("ranking", lambda said: {"top": said["top"][:-1]})


def the_ranking_check_fails(folder: Folder) -> None:
    folder.change_object("ranking", lambda _: {"check": {"exitCode": 1, "output": "oh"}})


def the_window_is_a_day(folder: Folder) -> None:
    def day(said: Json) -> Json:
        return {"window": {**said["window"], "from": said["asOf"]}, "top": []}

    folder.change_object("ranking", day)


def poison(folder: Folder) -> Json:
    return folder.first("history", lambda line: line["type"] == "Poison" and line["place"])


def at(place: Json) -> Callable[[Json], bool]:
    return lambda line: place.items() <= line.items()


def a_dead_letter_is_lost(folder: Folder) -> None:
    folder.drop("database/dead_letters", at(poison(folder)["place"]))


def a_dead_letter_has_other_bytes(folder: Folder) -> None:
    place = poison(folder)["place"]
    folder.change("database/dead_letters", at(place), lambda _: {"value": {"base64": "AAAA"}})


def a_dead_letter_is_not_published(folder: Folder) -> None:
    place = poison(folder)["place"]
    folder.drop(LETTERS, lambda line: at(place)(value_of(line)))


def a_published_letter_has_no_reason(folder: Folder) -> None:
    place = poison(folder)["place"]
    folder.change_values("dead-letters", at(place), lambda _: {"reason": ""})


def a_good_command_is_dead(folder: Folder) -> None:
    row = folder.rows(disposition="APPLIED")[3]
    is_it = at({name: row[name] for name in ("partition", "offset")})
    record = folder.first("topics/" + row["topic"].removeprefix("x-"), is_it)
    sent = {n: {"base64": b64encode(record[n].encode()).decode()} for n in ("key", "value")}
    folder.add("database/dead_letters", {**place_of(row), **sent, "reason": "UNDECODABLE"})


DEFECTS = {
    a_payment_is_not_told: {"order_events_equal_the_orders", "stock_follows_the_order_events"},
    a_sale_is_not_told: {"sales_equal_the_lines"},
    an_event_comes_again_changed: {"every_event_comes_again_unchanged"},
    an_event_comes_again_on_another_key: {"every_event_comes_again_unchanged"},
    a_payment_is_told_twice: {"order_events_equal_the_orders", "stock_follows_the_order_events"},
    an_event_tells_another_amount: {"events_tell_what_the_orders_say"},
    a_sale_is_of_another_time: {"sales_tell_the_time_of_the_payment"},
    an_event_names_another_command: {"events_name_their_command"},
    events_are_out_of_order: {"events_follow_the_log"},
    results_are_out_of_order: {"results_follow_the_log"},
    the_ranking_is_off_by_one: {"the_ranking_equals_the_orders"},
    the_ranking_lacks_its_last: {"the_ranking_equals_the_orders"},
    the_ranking_check_fails: {"the_ranking_was_checked"},
    the_window_is_a_day: {"the_window_is_whole"},
    a_dead_letter_is_lost: {"poison_is_kept", "dead_rows_are_dead_letters"},
    a_dead_letter_has_other_bytes: {"poison_is_kept", "dead_rows_are_dead_letters"},
    a_dead_letter_is_not_published: {"poison_is_published"},
    a_published_letter_has_no_reason: {"poison_is_published"},
    a_good_command_is_dead: {"no_good_record_is_dead", "dead_rows_are_dead_letters"},
}


@pytest.mark.parametrize(("plant", "expected"), DEFECTS.items())
def test_a_defect_is_found_by_its_rule(
    sample: Path, tmp_path: Path, plant: Callable[[Folder], None], expected: set[str]
) -> None:
    assert rules_broken_by(plant, Folder(sample, tmp_path / "copy")) == expected
