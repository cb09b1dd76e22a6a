"""One line per event, `key=value`, for our own logs and for those of the libraries."""

import logging
import sys

import structlog
from structlog.typing import Processor

ERROR_ALONE = ("aiokafka.consumer.group_coordinator", "aiokafka.conn", "faust.livecheck")
"""They warn of what their own retries deal with."""


def configure_logs(level: str, process: str) -> None:
    """Send all logs to standard error; `process` names this one among its siblings."""
    structlog.configure(
        processors=[
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    _configure_libraries(level)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("%H:%M:%S", utc=False),
    ]


def _configure_libraries(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
            processor=structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), pad_event_to=0, pad_level=False, sort_keys=False
            ),
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    if level != "DEBUG":
        for name in ("faust", "mode", "aiokafka", "aiohttp", "alembic", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)
        for name in ERROR_ALONE:
            logging.getLogger(name).setLevel(logging.ERROR)
