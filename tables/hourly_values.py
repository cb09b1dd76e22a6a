"""Values of the sales table, kept by their hour: what leaves the window leaves in one piece."""

from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from sys import intern

# Faust's windows end a tenth of a second before the next one begins.
LAST_SECOND = 3599.9

WindowedKey = tuple[str, tuple[float, float]]
"""A key as Faust's windowed tables have it: with the window's first and last second."""


def windowed(key: str, hour_ms: int) -> WindowedKey:
    """Return a key as Faust has it, in the window of an hour."""
    start = hour_ms / 1000
    return key, (start, start + LAST_SECOND)


class HourlyValues(MutableMapping[WindowedKey, bytes]):
    """A store for a windowed table: for each hour the values by key.

    A key of Faust's for each value would cost more memory than key and value together, and so
    would whatever remembers when each of them expires.
    """

    def __init__(self) -> None:
        self.hours: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
        """The values by the hour's first millisecond."""

    def at(self, key: str, hour_ms: int) -> bytes | None:
        """Return the value of an hour, None where there is none."""
        hour = self.hours.get(hour_ms)
        return None if hour is None else hour.get(key)

    def drop_before(self, start_ms: int) -> list[dict[str, bytes]]:
        """Drop the hours before a time, and return what they held."""
        return [self.hours.pop(hour) for hour in sorted(self.hours) if hour < start_ms]

    def __getitem__(self, place: WindowedKey) -> bytes:
        """Return a value as Faust asks for it; raises KeyError."""
        found = self.at(place[0], _hour_of(place[1]))
        if found is None:
            raise KeyError(place)
        return found

    def __setitem__(self, place: WindowedKey, value: bytes) -> None:
        """Set a value as Faust does."""
        # The key of another hour, if the product has one, is as good and is there already.
        self.hours[_hour_of(place[1])][intern(place[0])] = value

    def __delitem__(self, place: WindowedKey) -> None:
        """Delete a value as Faust does; raises KeyError."""
        del self.hours[_hour_of(place[1])][place[0]]

    def __iter__(self) -> Iterator[WindowedKey]:
        """Iterate over keys as Faust has them; each is made for the purpose."""
        return (windowed(key, hour) for hour, held in self.hours.items() for key in held)

    def __len__(self) -> int:
        """Return the number of values of all hours."""
        return sum(map(len, self.hours.values()))

    def clear(self) -> None:
        """Drop everything."""
        self.hours.clear()


def _hour_of(window: tuple[float, float]) -> int:
    return round(window[0] * 1000)
