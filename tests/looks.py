"""Looks at a worker, quicker than an operator's, and what each of them found."""

from typing import Any

import pytest

from streams.faust_watch import FaustWatch, LookLimits

# Twenty looks, as where it matters, but ten of them in a second; and nobody leaves.
QUICK = LookLimits(look_seconds=0.1, looks_max=20, told_looks_max=10_000)


def noted_looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that tells, look by look from now on, whether the worker was found alive."""
    found: list[bool] = []
    look = FaustWatch.look

    def look_and_note(watch: FaustWatch, *arguments: Any, **named: Any) -> None:
        look(watch, *arguments, **named)
        found.append(watch._liveness.is_alive)

    monkeypatch.setattr(FaustWatch, "look", look_and_note)
    return found
