"""Requests at fixed rates: when they are due, what is sent, and what counts as latency."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

import msgspec
import pytest

from benchmarks.open_loop.__main__ import options_of, parse
from benchmarks.open_loop.percentiles import percentile
from benchmarks.open_loop.schedule import due_times
from benchmarks.open_loop.sender import Plan, send_here
from benchmarks.open_loop.works import COLLECTOR, Shop, Work

SHOP = Shop(users=1_000, products=50, code="HOT", prefix="/wait")


@pytest.mark.parametrize("evenly", [False, True])
def test_due_times_are_drawn_from_a_seed_and_come_in_order(evenly: bool) -> None:
    due = due_times(200, 10, seed=7, evenly=evenly)
    assert due == due_times(200, 10, seed=7, evenly=evenly)
    assert list(due) == sorted(due)
    assert due[0] > 0
    assert due[-1] < 10
    assert 1_850 < len(due) < 2_150


def test_customers_who_come_by_chance_do_not_keep_their_distance() -> None:
    due = due_times(100, 100, seed=1)
    pauses = [after - before for before, after in itertools.pairwise(due)]
    mean = sum(pauses) / len(pauses)
    spread = (sum((pause - mean) ** 2 for pause in pauses) / len(pauses)) ** 0.5
    # The pauses of a Poisson process are exponential: they spread as far as their mean.
    assert 0.9 < spread / mean < 1.1
    assert due_times(100, 100, seed=2) != due


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.99, 0),
        ([5], 0.5, 5),
        ([1, 2, 3, 4], 0.5, 2),
        (range(1, 1_001), 0.999, 999),
        (range(1, 1_001), 0.99, 990),
        (range(1, 11), 0.99, 10),
        (range(1, 11), 0.0, 1),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(list(values), share) == expected


def test_an_issue_is_always_another_users() -> None:
    work = Work("coupon", SHOP, seed=1)
    bodies = [body_of(work.next()) for _ in range(5_000)]
    assert len({body["userId"] for body in bodies}) == len(bodies)
    assert {body["couponCode"] for body in bodies} == {"HOT"}


def test_an_order_that_was_made_is_paid_before_another_one_is() -> None:
    work = Work("orders", SHOP, seed=1)
    assert work.next().startswith(b"POST /wait/api/v1/orders HTTP/1.1\r\n")
    work.hear(b'{"orderId":"a-1","userId":4,"status":"PENDING","items":[]}')
    paid = work.next()
    assert paid.startswith(b"POST /wait/api/v1/orders/pay HTTP/1.1\r\n")
    assert body_of(paid) == {"userId": 4, "orderId": "a-1"}
    work.hear(b'{"orderId":"a-1","userId":4,"status":"PAID"}')
    assert work.next().startswith(b"POST /wait/api/v1/orders HTTP/1.1\r\n")


def test_the_mixed_work_is_charges_issues_and_reads() -> None:
    work = Work("mixed", SHOP, seed=1)
    paths = [work.next().split(b" ")[1].removeprefix(b"/wait/api/v1/") for _ in range(2_000)]
    for path, share in ((b"balance/charge", 0.6), (b"coupons/issue", 0.1), (b"balance?", 0.15)):
        assert sum(each.startswith(path) for each in paths) == pytest.approx(
            2_000 * share, rel=0.2
        )


def test_lists_of_coupons_are_those_of_the_collector() -> None:
    head = Work("coupons", SHOP, seed=1).next().decode()
    assert head.split(" ")[1] == f"/wait/api/v1/coupons?userId={COLLECTOR}"


def body_of(request: bytes) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(request.partition(b"\r\n\r\n")[2])
    return body


class Shopkeeper(StreamRequestHandler):
    """Answers charges, in two parts; waits for the gate before the first answers it gives."""

    gate: threading.Event
    waits: list[float]
    seen: list[int]

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.seen.append(msgspec.json.decode(self.rfile.read(length))["userId"])
            if self.waits:
                self.gate.wait(self.waits.pop())
            body = b'{"userId":1,"chargedAmount":7,"balance":7}'
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            try:
                self.wfile.write(head + body[:9])
                self.wfile.write(body[9:])
            except ConnectionError:
                return


@contextmanager
def shopkeeper(*waits: float) -> Iterator[tuple[str, list[int]]]:
    """Serve until the end of the block; who still waits for an answer then gets it."""
    seen: list[int] = []
    gate = threading.Event()
    keeper = type("Keeper", (Shopkeeper,), {"gate": gate, "waits": list(waits), "seen": seen})
    with ThreadingTCPServer(("127.0.0.1", 0), keeper) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            gate.set()
            server.shutdown()
            thread.join()


def plan_of(url: str, **changed: object) -> Plan:
    said = {"url": url, "work": "charge", "rate": 200.0, "seconds": 0.2, "seed": 3}
    return msgspec.convert(
        {**said, "users": 100, "products": 5, "connections": 4, **changed}, Plan
    )


def test_every_request_that_is_due_is_sent_and_answered_once() -> None:
    with shopkeeper() as (url, seen):
        heard = send_here(plan_of(url))
    due = len(due_times(200, 0.2, seed=3))
    assert heard.statuses == {"200": due}
    assert heard.due == len(seen) == due
    assert heard.unanswered == heard.broken == heard.reads == 0
    assert 0 < heard.p50_ms <= heard.p99_ms <= heard.max_ms


def test_what_a_request_waits_for_a_connection_counts() -> None:
    with shopkeeper(0.5) as (url, _):
        heard = send_here(plan_of(url, connections=1))
    # A closed loop would have told of one slow answer, and of many that were quick: all were due
    # within 0.2 s, and nobody was answered before 0.5 s had gone.
    assert heard.p50_ms > 300
    assert heard.unanswered == 0


def test_who_is_not_answered_is_counted_as_long_as_was_waited() -> None:
    with shopkeeper(60, 60) as (url, _):
        heard = send_here(plan_of(url, connections=2, drain_seconds=0.3))
    assert heard.statuses == {}
    assert heard.unanswered == heard.due
    assert heard.p50_ms >= 300


def test_options_that_are_not_named_are_those_of_the_run() -> None:
    asked = options_of(parse(["--smoke", "--shares", "0.5", "--works", "coupon"]))
    assert (asked.works, asked.shares, asked.rounds) == (("coupon",), (0.5,), 1)
    assert options_of(parse([])).rounds == 3
