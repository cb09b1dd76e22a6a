"""How many files a process may have open: every connection is one."""

import logging
import resource

log = logging.getLogger("fairline")

# Kafka, the database, logs, and requests that come while all streams are taken.
OTHERS = 1024


def allow_open_files(connections: int) -> None:
    """Raise the soft limit to what so many lasting connections need, up to the hard one.

    Many systems give 1024; past the limit nobody could connect, not even a health check.
    """
    wanted = connections + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("%d open files are allowed, %d may be needed", allowed, wanted)
