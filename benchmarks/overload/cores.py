"""Gives the visitors a core of their own: they would take from Fairline what it is to serve with.

Ten thousand visitors in a second cost their generator half a core. What Fairline's parts can do on
the others is the capacity that is overloaded.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_to_visitors() -> Iterator[None]:
    """Leave the last core to the visitors; what this process starts meanwhile does so too."""
    if len(_ALL) > 1:
        os.sched_setaffinity(0, _ALL[:-1])
    try:
        yield
    finally:
        if _ALL:
            os.sched_setaffinity(0, _ALL)


def keep_visitors() -> None:
    """Use the last core only."""
    if _ALL:
        os.sched_setaffinity(0, _ALL[-1:])


def told() -> str:
    """Say who has how many."""
    served = max(1, len(_ALL) - 1)
    return (
        f"{served} of {len(_ALL)} cores for Fairline and its services, the last for the visitors"
    )


# Not every system lets a process choose.
_ALL = list(range(os.cpu_count() or 1)) if hasattr(os, "sched_setaffinity") else []
