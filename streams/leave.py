"""Leaving the process at once: the only answer to what we do not understand."""

import logging
import os
import sys
from typing import NoReturn

log = logging.getLogger(__name__)

# sysexits.h: EX_SOFTWARE. The supervisor starts the process again.
FATAL_STATUS = 70


def leave(why: str) -> NoReturn:
    """End the process before anything is acknowledged; the log is read again from there."""
    log.critical("leaving: %s", why, exc_info=sys.exc_info()[0] is not None)
    logging.shutdown()
    os._exit(FATAL_STATUS)
