"""Tells what stands still: it has work, and is at the same place at one look after the other.

Looks are counted, and not the time between them: a process that was frozen has not looked.
"""

from collections.abc import Hashable


class Stillness:
    """Remembers where each thing was, and for how many looks it has not moved."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Hashable, int]] = {}

    def look(self, name: str, place: Hashable, *, has_work: bool) -> int:
        """Note where a thing is now; return how many looks long it has not moved, with work."""
        before, looks = self._seen.get(name, (None, 0))
        looks = looks + 1 if has_work and place == before else 0
        self._seen[name] = (place, looks)
        return looks
