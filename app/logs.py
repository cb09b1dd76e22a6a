"""One line per event, `key=value`, for our own logs and for those of the libraries."""

import logging
import sys
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streams.request_id import REQUEST_ID

OURS = ("app", "fairline", "storage", "streams", "tables", "web")
PASSING = (
    "GroupCoordinatorNotAvailableError",
    "CoordinatorLoadInProgressError",
    "Marking the coordinator dead",
)
"""What a broker says in its first seconds, and the client tries again: no news for anyone."""

REPEAT_SECONDS = 10.0
_REMEMBERED_MAX = 1_000


class Repetitions:
    """Lets a library say the same thing once in a while, and how often it wanted to.

    While a broker is away its client says so some ten times a second for each connection.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be shown; one that stands for others is told so."""
        if record.name.partition(".")[0] in OURS:
            return True
        now, key = self._clock(), (record.name, record.getMessage())
        at, kept_back = self._said.get(key, (-REPEAT_SECONDS, 0))
        if now - at < REPEAT_SECONDS:
            self._said[key] = (at, kept_back + 1)
            return False
        if kept_back:
            record.msg, record.args = f"{key[1]} ({kept_back} more like it)", ()
        if len(self._said) >= _REMEMBERED_MAX:
            self._said.clear()
        self._said[key] = (now, 0)
        return True


def configure_logs(level: str, process: str) -> None:
    """Send all logs to standard error; `process` names this one among its siblings."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("%H:%M:%S", utc=False),
        _naming(process),
        _name_request,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_news)
    handler.addFilter(Repetitions())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processor=structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                pad_level=False,
                sort_keys=False,
                # The pretty one shows local variables, and with them passwords.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        )
    )
    logging.basicConfig(handlers=[handler], level=_of_libraries(level), force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def _of_libraries(level: str) -> str:
    """They speak of their own insides: below a warning only a programmer wants that."""
    return level if level in {"DEBUG", "ERROR"} else "WARNING"


def _is_news(record: logging.LogRecord) -> bool:
    # Faust's services announce their states under our modules' names when they are ours.
    announces = record.levelno < logging.WARNING and str(record.msg).startswith("[^")
    return not announces and not any(name in record.getMessage() for name in PASSING)


def _name_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    request_id = REQUEST_ID.get()
    return {**event, "request": request_id} if request_id else event


def _naming(process: str) -> Processor:
    def name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {"process": process, **event}

    return name
