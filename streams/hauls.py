"""What a fetch brought, handed to an agent as it came.

Faust makes two tasks, a message and an event of each record, and asks its sensors; that cost more
than applying one. An agent's stream yields hauls instead: what one fetch brought of a partition.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from faust.types import TP

from streams.log_reader import record_of
from streams.records import Record


@dataclass(eq=False, slots=True, weakref_slot=True)
class Haul:
    """Records of one partition, ascending, that are handed out and acknowledged together.

    Faust keeps it in its books as it keeps a message, and asks it the same: where it is, whether
    it is acknowledged, and by how many it is held.
    """

    tp: TP
    messages: list[Any]
    """At least one, as the consumer made them."""
    generation: int
    """For which division of the partitions it was fetched; after the next one it comes again."""
    acked: bool = field(default=False, init=False)
    refcount: int = field(default=1, init=False)

    @property
    def topic(self) -> str:
        """Return the topic's name."""
        return str(self.tp.topic)

    @property
    def partition(self) -> int:
        """Return the partition's number."""
        return int(self.tp.partition)

    @property
    def offset(self) -> int:
        """Return the offset of the first record."""
        return int(self.messages[0].offset)

    @property
    def end(self) -> int:
        """Return the offset behind the last record."""
        return int(self.messages[-1].offset) + 1


def count(hauls: Iterable[Haul]) -> int:
    """Return how many records these are."""
    return sum(len(haul.messages) for haul in hauls)


def records_in(hauls: Iterable[Haul]) -> list[Record]:
    """List the records of these hauls."""
    return [record_of(message) for haul in hauls for message in haul.messages]


class Hold:
    """What has come for one agent and is not taken yet, haul by haul.

    What Faust asks of a message that a stream yields is asked here when a haul is taken: whether
    it still counts. Only then it is in the consumer's books, and partitions that move wait for it.
    """

    def __init__(self, stream: Any, records_max: int) -> None:
        self._app = stream.app
        self._waiting = stream.channel.queue
        self._records_max = records_max
        self._next: Haul | None = None

    def add(self, haul: Haul) -> None:
        """Take in what the stream has yielded; all that was there is taken out before."""
        assert self._next is None
        self._next = haul

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing has come."""
        return self._next is None and bool(self._waiting.empty())

    def take(self, already: int = 0) -> list[Haul]:
        """Take what is there, as far as it fits in a batch that holds so many records already."""
        taken: list[Haul] = []
        while not self.is_empty:
            haul = self._next or self._waiting.get_nowait()
            self._next = None
            size = already + count(taken)
            if size and size + len(haul.messages) > self._records_max:
                self._next = haul
                break
            if self._is_current(haul):
                self._track(haul)
                taken.append(haul)
        return taken

    def _is_current(self, haul: Haul) -> bool:
        app = self._app
        return bool(app.flow_control.is_active() and haul.generation == app.consumer_generation_id)

    def _track(self, haul: Haul) -> None:
        self._app.consumer.unacked.add(haul)
        # Without it Faust would say in its log that the stream stands still.
        self._app.monitor.stream_inbound_time[haul.tp] = monotonic()
