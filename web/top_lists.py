"""What the edge wants of the live ranking; `tables` provides it."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from domain.ranking import TopEntry, Window


class MergedTop(Protocol):
    """The best sellers of all partitions."""

    @property
    def entries(self) -> Sequence[TopEntry]:
        """Products and quantities, the best seller first."""

    @property
    def as_of_ms(self) -> int:
        """When this was so."""

    @property
    def window(self) -> Window:
        """The span of time that was counted."""


class LiveTop(Protocol):
    """Reads the live ranking from memory."""

    @property
    def ready(self) -> bool:
        """Tell whether what was published before this edge came is known; until then, nothing."""

    def top(self, limit: int) -> MergedTop:
        """Return the best sellers, so many at most."""

    def next_change(self) -> asyncio.Event:
        """Return what is set at the next change; ask for it before you look at the top."""
