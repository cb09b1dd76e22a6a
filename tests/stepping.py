"""Drives a coroutine by hand, to do something to it at any of its awaits."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Stepped:
    """Awaits a coroutine, and asks `act` at each step what is to happen to it there.

    A step is a place where the event loop takes over: an await that has its answer already is
    none. Where `act` returns an exception, it is raised there in place of the answer.
    """

    def __init__(
        self, work: Coroutine[Any, Any, Any], act: Callable[[], BaseException | None]
    ) -> None:
        self._work = work
        self._act = act

    def __await__(self) -> Generator[Any, Any, Any]:
        """Run the work to its end."""
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._work.throw(error) if error else self._work.send(answer)
            except StopIteration as done:
                return done.value
            answer = None
            error = self._act()
            try:
                # What is waited for happens in any case; it is the answer that may be lost.
                answer = yield waits_for
            except BaseException as raised:
                error = error or raised
