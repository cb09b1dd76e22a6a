"""How far a long piece of work has come, as it is shown."""

import sys

import pytest

from app.progress import LINE_SECONDS, Lines, watching


class Clock:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_for_each_thing_and_then_one_every_few_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    lines = Lines(clock)
    for after, what, rows in ((0, "orders", 10), (1, "orders", 20), (0, "wallets", 5)):
        clock.now += after
        lines(what, rows, 30)
    clock.now += LINE_SECONDS
    lines("wallets", 9, 3)
    assert capsys.readouterr().err.splitlines() == [
        "orders: 10 of about 30 rows",
        "wallets: 5 of about 30 rows",
        "wallets: 9 rows",
    ]


def test_a_terminal_gets_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with watching() as watch:
        watch("orders", 10, 0)
        watch("orders", 20, 15)
        watch("wallets", 5, 50)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "orders" in shown.err
    assert "20/20" in shown.err
    assert "5/50" in shown.err


def test_what_is_no_terminal_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as watch:
        watch("orders", 10, 0)
    assert capsys.readouterr().err == "orders: 10 rows\n"
