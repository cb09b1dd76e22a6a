"""`fairline run` as a newcomer meets it: one command, the tour, and nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.services.ports import free_port
from tests.processes import wait_until_dead

START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
"""The supervisor itself gives its processes 6 s, and Kafka 3 more; then it kills them."""


@dataclass
class Running:
    """A `fairline run`, and what it has printed so far."""

    process: subprocess.Popen[bytes]
    output: Path

    def printed(self) -> str:
        return self.output.read_text()

    def url(self) -> str:
        found = re.search(r"^ready at (\S+);", self.printed(), re.M)
        assert found
        return found[1]

    def children(self) -> dict[str, int]:
        """The pid of each child by what it is."""
        lines = subprocess.run(
            ["pgrep", "-a", "-P", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        words = {"kafka.Kafka": "kafka", "edge": "edge", "ranking": "ranking"}
        return {
            name: int(line.split()[0])
            for line in lines
            for word, name in words.items()
            if word in line.split()
        }


def environment(folder: Path, **more: str) -> dict[str, str]:
    ports = {"HTTP_PORT": "0", "WORKER_PORT": str(free_port()), "RANKING_PORT": str(free_port())}
    settings = {"DATA_DIR": str(folder / "data"), **ports, **more}
    return {**os.environ, **{f"FAIRLINE_{name}": value for name, value in settings.items()}}


def fairline(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("fairline")), *words]


@contextmanager
def run(folder: Path) -> Iterator[Running]:
    """Run it until it is ready; at the end it is gone, one way or another."""
    output = folder / f"output-{time.monotonic_ns()}"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            fairline("run"), env=environment(folder), cwd=folder, stdout=file, stderr=file
        ) as process,
    ):
        running = Running(process, output)
        try:
            wait_for(lambda: "ready at" in running.printed() or process.poll() is not None)
            assert process.poll() is None, running.printed()
            yield running
        finally:
            process.terminate()


def wait_for(true: Callable[[], object], seconds_max: float = START_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds_max
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def charge(url: str, user_id: int, amount: int) -> bool:
    """Whether it was acknowledged as done."""
    request = urllib.request.Request(
        f"{url}/api/v1/balance/charge",
        json.dumps({"userId": user_id, "amount": amount}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def take_the_tour(printed: str, folder: Path) -> list[str]:
    """Paste the printed tour into a shell; what it answers, a line for each use case."""
    tour = printed[printed.index("# 1. ") : printed.index("ready at")]
    done = subprocess.run(
        ["bash", "-e", "-c", tour],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def assert_eight_use_cases(answers: list[str]) -> None:
    charged, balance, issued, coupons, order, payment, top = map(json.loads, answers[:7])
    assert charged == {"userId": 7, "chargedAmount": 100_000, "balance": 100_000}
    assert balance == {"userId": 7, "balance": 100_000}
    assert (issued["couponCode"], issued["number"]) == ("WELCOME", 1)
    assert [each["state"] for each in coupons["coupons"]] == ["ISSUED"]
    assert order["status"] == "PENDING"
    assert order["discountAmount"] == 1_000
    assert payment["status"] == "PAID"
    assert payment["paidAmount"] == order["payableAmount"]
    assert payment["balance"] == 100_000 - order["payableAmount"]
    assert "products" in top
    assert answers[7].startswith("daily ranking of ")


def sold(url: str) -> list[tuple[int, int]]:
    top = get(f"{url}/api/v1/products/top")["products"]
    return [(each["productId"], each["quantity"]) for each in top]


def test_the_first_start_shows_the_tour_and_the_next_has_all_that_was_done(tmp_path: Path) -> None:
    with run(tmp_path) as first:
        assert re.search(r"^broker +Apache Kafka 4\.\S+ at 127\.0\.0\.1:\d+", first.printed())
        assert re.search(r"^database +SQLite, file /\S+", first.printed(), re.M)
        assert_eight_use_cases(take_the_tour(first.printed(), tmp_path))
        wait_for(lambda: sold(first.url()) == [(1, 2), (2, 1)])
        assert_a_second_run_is_refused(tmp_path)
        children = first.children()
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(STOP_SECONDS_MAX) == 0
    assert set(children) == {"kafka", "edge", "ranking"}
    for pid in children.values():
        wait_until_dead(pid)
    with run(tmp_path) as second:
        assert "# 1. " not in second.printed()
        assert get(f"{second.url()}/api/v1/balance?userId=7")["balance"] < 100_000
        wait_for(lambda: sold(second.url()) == [(1, 2), (2, 1)])
        second.process.terminate()
        assert second.process.wait(STOP_SECONDS_MAX) == 0


def assert_a_second_run_is_refused(folder: Path) -> None:
    again = subprocess.run(
        fairline("run"),
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 2
    assert re.fullmatch(r"fairline: \S+ is in use by process \d+: .*\n", again.stderr)


def test_whatever_is_killed_comes_back_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with run(tmp_path) as first:
        url = first.url()
        done = 0
        for name in ("edge", "ranking", "kafka"):
            killed = first.children()[name]
            os.kill(killed, signal.SIGKILL)
            wait_until_dead(killed)
            wait_for(lambda name=name: name in first.children())  # type: ignore[misc]
            wait_for(lambda: charge(url, 9, 1_000), 60)
            done += 1_000
        balance = get(f"{url}/api/v1/balance?userId=9")["balance"]
        assert balance >= done
        children = first.children()
        first.process.kill()
        first.process.wait()
    for pid in children.values():
        wait_until_dead(pid)
    with run(tmp_path) as second:
        assert get(f"{second.url()}/api/v1/balance?userId=9")["balance"] >= balance


def test_a_port_in_use_is_found_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            fairline("run"),
            env=environment(tmp_path, HTTP_PORT=port),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert refused.returncode == 2
    assert re.fullmatch(rf"fairline: .*:{port} .*FAIRLINE_HTTP_PORT\n", refused.stderr)
    assert not (tmp_path / "data" / "kafka").exists()
