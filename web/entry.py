"""A record on its way to the log, and what has become of it so far."""

from collections.abc import Callable
from enum import Enum

from streams.records import Headers
from web.backlog import Line
from web.problems import OutcomeUnknownError, ProblemError
from web.results import Waiter


class Stage(Enum):
    """How far a record has come."""

    WAITING = "nobody outside this process knows of it"
    HANDED = "the broker may have it"
    WRITTEN = "the broker has it"
    FAILED = "the request is answered: it was never handed over, or nobody knows"


class Entry:
    """The record of a command, the line that it stands in, and the request that waits for it."""

    __slots__ = ("_then", "headers", "key", "line", "stage", "value", "waiter")

    def __init__(
        self, key: bytes, value: bytes, headers: Headers, *, line: Line, waiter: Waiter
    ) -> None:
        self.key = key
        self.value = value
        self.headers = headers
        self.line = line
        self.waiter = waiter
        self.stage = Stage.WAITING
        self._then: Callable[[], None] | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether it must not be handed over any more."""
        return self.stage is Stage.FAILED

    def hand_over(self) -> None:
        """Note that it leaves this process."""
        self.stage = Stage.HANDED

    def withdraw(self) -> bool:
        """Take it back if nobody has it yet: then it is certainly not accepted."""
        if self.stage is not Stage.WAITING:
            return False
        self.stage = Stage.FAILED
        return True

    def written(self, offset: int) -> None:
        """Note that the broker has it, at this offset."""
        self.line.note_written(offset)
        self._end(Stage.WRITTEN)

    def refuse(self, problem: ProblemError) -> None:
        """Answer the request with a problem: the broker has certainly not got it."""
        self._fail(problem)

    def lose(self) -> None:
        """Answer the request with what is true now: nobody can say whether the broker has it."""
        self._fail(OutcomeUnknownError(self.waiter.command_id))

    def then(self, call: Callable[[], None]) -> None:
        """Call this once it is known whether the broker has it."""
        if self.stage in (Stage.WAITING, Stage.HANDED):
            self._then = call
        else:
            call()

    def _fail(self, problem: ProblemError) -> None:
        if not self.waiter.future.done():
            self.waiter.future.set_exception(problem)
        self._end(Stage.FAILED)

    def _end(self, stage: Stage) -> None:
        self.stage = stage
        if self._then is not None:
            self._then()
