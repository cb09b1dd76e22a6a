"""Gives the visitors a core of their own: they would take from Fairline what it is to serve with.

Ten thousand visitors in a second cost their generator half a core. What Fairline's parts can do on
the others is the capacity that is overloaded.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def core_for_visitors() -> Iterator[int | None]:
    """Leave a core to the visitors, and name it; what this process starts meanwhile leaves it too.

    None where there is only one, or where the system lets no process choose.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield None
        return
    os.sched_setaffinity(0, cores[:-1])
    try:
        yield cores[-1]
    finally:
        os.sched_setaffinity(0, cores)


def keep_to(core: int | None) -> None:
    """Use this core only, if one is named."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def told(core: int | None) -> str:
    """Say who has which."""
    if core is None:
        return "on the same cores"
    return "on a core of its own, the others for Fairline and its services"
