"""The windowed Faust table of sales, as a table class of our own where Faust's falls short."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import faust

from tables.hourly_values import HourlyValues, windowed


class SalesTable(faust.Table):  # type: ignore[misc]
    """A windowed table whose values come from the database, and whose changes come from a stream.

    Three things differ from Faust's own table:
    - values are kept by their hour, all hours can be replaced at once, and one can be dropped at
      once: in the local store alone, without a changelog record for each;
    - nothing expires by itself: Faust goes by a heap with an entry for each write, looks at it
      every half minute, and forgets it with every recovery;
    - recovery does not read the changelog, since every assignment replaces all values anyway:
      what it would restore is thrown away, and one record that it cannot read stalls it for good.
    """

    _ends: Mapping[Any, int] = MappingProxyType({})

    @property
    def by_hour(self) -> HourlyValues:
        """The local store's values."""
        held: HourlyValues = self.data.data
        return held

    @by_hour.setter
    def by_hour(self, values: HourlyValues) -> None:
        self.data.data = values

    def put(self, key: str, hour_ms: int, value: bytes) -> None:
        """Set a value and write it to the changelog, on the partition of the stream's event."""
        self[windowed(key, hour_ms)] = value

    def _new_store(self) -> Any:
        store = super()._new_store()
        store.data = HourlyValues()
        return store

    def _should_expire_keys(self) -> bool:
        return False

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
