"""Drives a coroutine by hand, to do something to it at one of its awaits."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Stepped:
    """Awaits a coroutine and counts where it waits; at one of these places it does `act`.

    Only places where the event loop takes over count: an await that has its answer already
    does not wait.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, Any],
        *,
        at: int = -1,
        act: Callable[[], BaseException | None] = lambda: None,
    ) -> None:
        self._work = work
        self._at = at
        self._act = act
        self.steps = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        """Run the work; what `act` returns is raised at its place instead of its answer."""
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._work.throw(error) if error else self._work.send(answer)
            except StopIteration as done:
                return done.value
            answer = error = None
            thrown = self._act() if self.steps == self._at else None
            self.steps += 1
            if thrown is not None:
                # What was waited for may still come; nobody is there to take it.
                error = thrown
                continue
            try:
                answer = yield waits_for
            except BaseException as raised:
                error = raised
