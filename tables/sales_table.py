"""The windowed Faust table of sales, as a table class of our own where Faust's falls short."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import faust


class StoredHour(NamedTuple):
    """One value for the table: a product's hour, encoded, and the partition it belongs to."""

    key: str
    hour_ms: int
    value: bytes
    partition: int


class SalesTable(faust.Table):  # type: ignore[misc]
    """A windowed table whose values come from the database, and whose changes come from a stream.

    Three things differ from Faust's own table:
    - expiry keeps one entry for each key and window, not one for each write;
    - values can be replaced outside of a stream, without a changelog record each;
    - recovery does not read the changelog, since every assignment replaces all values anyway:
      what it would restore is thrown away, and one record that it cannot read stalls it for good.
    """

    _ends: Mapping[Any, int] = MappingProxyType({})

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Note where the changelog ends, before recovery asks how far it was read."""
        topic = self.changelog_topic_name
        mine = {tp for tp in self.app.assignor.assigned_actives() if tp.topic == topic}
        self._ends = await self.app.consumer.highwaters(*mine) if mine else {}
        await super().on_rebalance(*args, **kwargs)

    def persisted_offset(self, tp: Any) -> int | None:
        """Say that the changelog of an assigned partition was read to its end."""
        end = self._ends.get(tp)
        return end - 1 if end else None

    def replace(self, hours: Iterable[StoredHour]) -> None:
        """Replace all values, in the local store alone."""
        self.data.clear()
        self._partition_timestamps.clear()
        self._partition_timestamp_keys.clear()
        for hour in hours:
            [window] = self.window.ranges(hour.hour_ms / 1000)
            key = (hour.key, window)
            self.data[key] = hour.value
            self._maybe_set_key_ttl(key, hour.partition)

    def _maybe_set_key_ttl(self, key: Any, partition: int) -> None:
        expiring = self._partition_timestamp_keys.get((partition, key[1][1]), ())
        if key not in expiring:
            super()._maybe_set_key_ttl(key, partition)
