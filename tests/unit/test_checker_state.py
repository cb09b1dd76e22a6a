"""The checker finds what is wrong with money, coupons, orders, stock and their decisions."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.sample.folder import Folder, new_id, rules_broken_by
from tests.chaos.sample.run import write_sample
from tests.chaos.sample.shop import Json, problem

LOG = "database/command_log"
WALLETS, ENTRIES, COPIES = "database/wallets", "database/balance_entries", "database/user_coupons"
ORDERS, LINES = "database/orders", "database/order_lines"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, 600, seed=2)
    return folder


def of_user(user_id: int) -> Callable[[Json], bool]:
    return lambda line: line["user_id"] == user_id


def last_entry(folder: Folder, kind: str) -> Json:
    """The last entry of a user, where it is of that kind."""
    last = {entry["user_id"]: entry for entry in folder.lines(ENTRIES)}
    return next(entry for entry in last.values() if entry["kind"] == kind)


def adjust(folder: Folder, user_id: int, amount: int) -> None:
    wallet = folder.first(WALLETS, of_user(user_id))
    changed = {"balance": wallet["balance"] + amount}
    folder.change(WALLETS, of_user(user_id), lambda _: changed)


def pending(folder: Folder) -> Json:
    """An order that no command named after it was made."""
    named = {json.loads(row["payload"]).get("orderId") for row in folder.rows() if row["payload"]}
    return folder.first(ORDERS, lambda line: line["order_id"] not in named)


def of_order(order: Json) -> Callable[[Json], bool]:
    return lambda line: line["order_id"] == order["order_id"]


def a_balance_is_off_by_one(folder: Folder) -> None:
    adjust(folder, folder.first(WALLETS)["user_id"], 1)


def a_snapshot_is_off_by_one(folder: Folder) -> None:
    snapshot = folder.lines("snapshots")[-1]
    folder.change(
        "snapshots",
        lambda line: line == snapshot,
        lambda line: {"walletSum": line["walletSum"] + 1},
    )


def an_entry_does_not_add_up(folder: Folder) -> None:
    folder.change(ENTRIES, lambda line: line["entry_id"] == 5, lambda _: {"balance_after": 1})


def an_acknowledged_charge_is_lost(folder: Folder) -> None:
    entry = last_entry(folder, "CHARGE")
    folder.drop(ENTRIES, lambda line: line["entry_id"] == entry["entry_id"])
    adjust(folder, entry["user_id"], -entry["amount"])


def a_credit_is_called_a_charge(folder: Folder) -> None:
    entry = folder.first(ENTRIES, lambda line: line["kind"] == "CREDIT")
    folder.change(ENTRIES, lambda line: line == entry, lambda _: {"kind": "CHARGE"})


def a_credit_is_lost(folder: Folder) -> None:
    entry = last_entry(folder, "CREDIT")
    folder.drop(ENTRIES, lambda line: line["entry_id"] == entry["entry_id"])
    adjust(folder, entry["user_id"], -entry["amount"])


def a_charge_is_applied_twice(folder: Folder) -> None:
    entry = last_entry(folder, "CHARGE")
    after = entry["balance_after"] + entry["amount"]
    folder.add(ENTRIES, entry | {"entry_id": 10**6, "balance_after": after})
    adjust(folder, entry["user_id"], entry["amount"])


def money_comes_from_nowhere(folder: Folder) -> None:
    entry = last_entry(folder, "CHARGE")
    gift = {"entry_id": 10**6, "command_id": new_id(), "amount": 5}
    folder.add(ENTRIES, entry | gift | {"balance_after": entry["balance_after"] + 5})
    adjust(folder, entry["user_id"], 5)


def entries_are_out_of_order(folder: Folder) -> None:
    user_id = last_entry(folder, "CHARGE")["user_id"]
    one, two = folder.lines(ENTRIES, of_user(user_id))[:2]
    swapped = {one["entry_id"]: two["command_id"], two["entry_id"]: one["command_id"]}
    folder.change(
        ENTRIES,
        lambda line: line["entry_id"] in swapped,
        lambda line: {"command_id": swapped[line["entry_id"]]},
    )


def a_coupon_counts_one_too_many(folder: Folder) -> None:
    folder.change("database/coupons", lambda _: True, lambda line: {"issued": line["issued"] + 1})


def a_user_holds_two_copies(folder: Folder) -> None:
    copies = folder.lines(COPIES, lambda line: line["coupon_code"] == "NOON")
    folder.change(
        COPIES,
        lambda line: line["user_coupon_id"] == copies[1]["user_coupon_id"],
        lambda _: {"user_id": copies[0]["user_id"], "used_at_ms": None, "order_id": None},
    )


def issue_told(folder: Folder, command_id: str, number: int) -> None:
    """Give an issue another number, wherever it is told or stored."""
    row = folder.rows(command_id=command_id)[0]
    folder.retell(command_id, 200, {**json.loads(row["body"]), "number": number})
    folder.change(
        LOG,
        lambda line: line["command_id"] == command_id and line["disposition"] == "REFUSED",
        lambda _: {"disposition": "APPLIED"},
    )
    folder.change(
        COPIES, lambda line: line["user_coupon_id"] == command_id, lambda _: {"number": number}
    )


def a_number_is_skipped(folder: Folder) -> None:
    last = folder.lines(COPIES, lambda line: line["coupon_code"] == "NOON")[-1]
    issue_told(folder, last["user_coupon_id"], last["number"] + 1)


def two_numbers_are_swapped(folder: Folder) -> None:
    one, two = folder.lines(COPIES, lambda line: line["coupon_code"] == "NOON")[2:4]
    issue_told(folder, one["user_coupon_id"], two["number"])
    issue_told(folder, two["user_coupon_id"], one["number"])


def a_copy_has_another_number_than_told(folder: Folder) -> None:
    one, two = folder.lines(COPIES, lambda line: line["coupon_code"] == "NOON")[2:4]
    numbers = {one["user_coupon_id"]: two["number"], two["user_coupon_id"]: one["number"]}
    folder.change(
        COPIES,
        lambda line: line["user_coupon_id"] in numbers,
        lambda line: {"number": numbers[line["user_coupon_id"]]},
    )


def somebody_is_sold_out_before_another_is_served(folder: Folder) -> None:
    line = folder.lines(LOG, lambda row: row["topic"] == "x-coupon-commands")
    earlier: dict[str, Json] = {}
    for row in line:
        if row["type"] == "DefineCoupon":
            earlier.pop(row["key"], None)
        elif row["disposition"] == "REFUSED" and "ALREADY_ISSUED" in row["body"]:
            earlier.setdefault(row["key"], row)
        elif row["disposition"] == "APPLIED" and row["key"] in earlier:
            break
    row = earlier[row["key"]]
    folder.retell(row["command_id"], *problem(409, "COUPON_SOLD_OUT"))


def sold_out_is_told_before_it_is_so(folder: Folder) -> None:
    started_ms = json.loads((folder.path / "run.json").read_text())["startedAtMs"]
    door = folder.first(
        "history", lambda line: line["status"] == 409 and line["commandId"] is None
    )
    folder.change(
        "history",
        lambda line: line["number"] == door["number"],
        lambda _: {"sentAtMs": started_ms, "doneAtMs": started_ms + 1},
    )


def a_spent_copy_is_free(folder: Folder) -> None:
    copy = folder.first(COPIES, lambda line: line["order_id"])
    folder.change(
        COPIES,
        lambda line: line["user_coupon_id"] == copy["user_coupon_id"],
        lambda _: {"order_id": None, "used_at_ms": None},
    )


def a_refusal_has_no_ground(folder: Folder) -> None:
    row = next(
        row
        for row in folder.rows(type="PayOrder", disposition="REFUSED")
        if "ORDER_" in row["body"]
    )
    folder.retell(row["command_id"], *problem(402, "INSUFFICIENT_BALANCE"))


def a_total_is_off_by_one(folder: Folder) -> None:
    order = pending(folder)
    total = {"total_amount": order["total_amount"] + 1}
    folder.change(ORDERS, of_order(order), lambda _: total)


def an_order_is_cancelled_by_nobody(folder: Folder) -> None:
    cancelled = {"status": "CANCELLED", "cancelled_at_ms": 1}
    folder.change(ORDERS, of_order(pending(folder)), lambda _: cancelled)


def an_order_is_lost(folder: Folder) -> None:
    order = pending(folder)
    folder.drop(ORDERS, of_order(order))
    folder.drop(LINES, of_order(order))


def an_order_has_more_pieces_than_asked_for(folder: Folder) -> None:
    order = pending(folder)
    line = folder.first(LINES, of_order(order))
    folder.change(LINES, lambda each: each == line, lambda _: {"quantity": line["quantity"] + 1})
    more = {n: order[n] + line["unit_price"] for n in ("total_amount", "payable_amount")}
    folder.change(ORDERS, of_order(order), lambda _: more)


def a_payment_takes_less_than_previewed(folder: Folder) -> None:
    order = folder.first(ORDERS, lambda line: line["status"] == "PAID")
    less = {n: order[n] - 1 for n in ("total_amount", "payable_amount")}
    folder.change(ORDERS, of_order(order), lambda _: less)


def a_piece_is_missing(folder: Folder) -> None:
    folder.change(
        "database/products",
        lambda line: line["product_id"] == 1,
        lambda line: {"stock": line["stock"] - 1},
    )


def more_is_sold_than_there_was(folder: Folder) -> None:
    def less(said: Json) -> Json:
        products = [{**each, "stock": 0} for each in said["setup"]["products"]]
        return {"setup": {**said["setup"], "products": products}}

    folder.change_object("run", less)
    folder.change("database/products", lambda _: True, lambda line: {"stock": line["stock"] - 40})


DEFECTS = {
    a_balance_is_off_by_one: {"balances_are_the_sums_of_entries"},
    a_snapshot_is_off_by_one: {"every_snapshot_adds_up"},
    an_entry_does_not_add_up: {"entries_add_up_in_order", "every_entry_has_its_command"},
    an_acknowledged_charge_is_lost: {"every_applied_command_moved_its_money"},
    a_credit_is_called_a_charge: {"every_entry_has_its_command"},
    a_credit_is_lost: {"every_applied_command_moved_its_money"},
    a_charge_is_applied_twice: {
        "every_applied_command_moved_its_money",
        "every_entry_has_its_command",
    },
    money_comes_from_nowhere: {"every_entry_has_its_command"},
    entries_are_out_of_order: {"entries_follow_the_log", "every_entry_has_its_command"},
    a_coupon_counts_one_too_many: {"no_more_is_issued_than_there_is"},
    a_user_holds_two_copies: {"nobody_holds_two_copies", "every_copy_has_its_command"},
    a_number_is_skipped: {"numbers_have_no_gap", "coupon_commands_come_out_as_the_log_says"},
    two_numbers_are_swapped: {
        "numbers_follow_the_log",
        "coupon_commands_come_out_as_the_log_says",
    },
    a_copy_has_another_number_than_told: {"numbers_follow_the_log", "every_copy_has_its_command"},
    somebody_is_sold_out_before_another_is_served: {
        "first_come_first_served",
        "coupon_commands_come_out_as_the_log_says",
    },
    sold_out_is_told_before_it_is_so: {"sold_out_at_the_door_is_true"},
    a_spent_copy_is_free: {"copies_are_spent_once"},
    a_refusal_has_no_ground: {"user_commands_come_out_as_the_log_says"},
    a_total_is_off_by_one: {"every_order_adds_up"},
    an_order_is_cancelled_by_nobody: {
        "every_order_is_what_its_commands_made",
        "order_events_equal_the_orders",
    },
    an_order_is_lost: {"every_applied_command_has_its_order"},
    an_order_has_more_pieces_than_asked_for: {"every_order_has_the_lines_that_were_asked_for"},
    a_payment_takes_less_than_previewed: {
        "payments_take_what_was_previewed",
        "every_order_adds_up",
        "events_tell_what_the_orders_say",
        "user_commands_come_out_as_the_log_says",
    },
    a_piece_is_missing: {"stock_is_what_was_not_sold", "stock_follows_the_order_events"},
    more_is_sold_than_there_was: {"stock_is_never_below_zero"},
}


@pytest.mark.parametrize(("plant", "expected"), DEFECTS.items())
def test_a_defect_is_found_by_its_rule(
    sample: Path, tmp_path: Path, plant: Callable[[Folder], None], expected: set[str]
) -> None:
    assert rules_broken_by(plant, Folder(sample, tmp_path / "copy")) == expected
