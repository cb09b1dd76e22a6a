"""Looks at the parts of this edge: whether each still runs, and whether results come in."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from streams.liveness import Liveness
from streams.service_watch import Watch
from streams.stillness import Stillness
from web.results import Results

LOOK_SECONDS = 1.0
# Told within 30 s; a broker that leads a partition anew, or is slow, needs less.
LOOKS_MAX = 20


class EdgeWatch:
    """Notes in the liveness what only a new start of the edge would mend."""

    def __init__(self, liveness: Liveness, results: Results, watches: Collection[Watch]) -> None:
        self._liveness = liveness
        self._results = results
        self._watches = watches
        self._stillness = Stillness()

    async def run(self, tasks: Mapping[str, "asyncio.Task[Any]"]) -> None:
        """Look until cancelled; none of the parts' tasks may end before."""
        while True:
            self.look(tasks)
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, tasks: Mapping[str, "asyncio.Task[Any]"]) -> None:
        """Look once."""
        ended = [f"{name} has ended" for name, task in tasks.items() if task.done()]
        self._liveness.note("parts", ", ".join(ended))
        self._liveness.note("results", self._still_results())
        self._liveness.end_look()

    def _still_results(self) -> str:
        """Tell whether results are there that this edge does not come to."""
        results = self._results
        waits = results.position is not None and results.position < results.end
        # While the broker is away nobody can come to them.
        may_move = all(watch.is_ready for watch in self._watches)
        looks = self._stillness.look("results", results.position, has_work=waits and may_move)
        return "results are there and are not read" if looks >= LOOKS_MAX else ""
