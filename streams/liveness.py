"""What only a new start would mend: /livez tells it, so that whoever supervises starts anew.

A service that is away is none of this: a process that waits for it is as good as a new one.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from streams.leave import leave
from streams.metrics import STALLS
from streams.outcomes import moment

log = logging.getLogger(__name__)

# Who supervises by /livez starts it anew sooner; where nobody does, the process leaves itself.
TOLD_LOOKS_MAX = 40


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a part, and when that was first seen."""

    what: str
    since_ms: int


class Liveness:
    """The parts of a process that must not stand still, each well or at fault."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault | None] = {}
        self._told_looks = 0

    def note(self, name: str, what: str) -> None:
        """Note how a part is: what is wrong with it, or nothing."""
        before = self._faults.get(name)
        if not what:
            if before is not None:
                log.warning("%s goes on", name)
            self._faults[name] = None
        elif before is None:
            STALLS.labels(name).inc()
            log.critical("%s: %s; only a new start helps", name, what)
            self._faults[name] = Fault(what, time.time_ns() // 1_000_000)

    def end_look(self, told_looks_max: int = TOLD_LOOKS_MAX) -> None:
        """Note that all parts were looked at; leave where something has been at fault for long."""
        self._told_looks = 0 if self.is_alive else self._told_looks + 1
        if self._told_looks > told_looks_max:
            leave("nobody started this process anew, and it does not go on by itself")

    @property
    def is_alive(self) -> bool:
        """Tell whether nothing is at fault."""
        return not any(self._faults.values())

    def answer(self) -> dict[str, Any]:
        """Return the body of /livez: each check by name, and what is wrong since when."""
        return {
            "status": "ok" if self.is_alive else "failed",
            "checks": {name: fault is None for name, fault in self._faults.items()},
            "faults": {
                name: {"what": fault.what, "since": _utc(fault.since_ms)}
                for name, fault in self._faults.items()
                if fault is not None
            },
        }


def _utc(at_ms: int) -> str:
    return moment(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")
