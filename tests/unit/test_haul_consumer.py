"""What is fetched, handed on to agents: on a real Faust app, without a broker."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

import faust
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streams.consumer import FETCH_WAIT_MS
from streams.haul_consumer import WAITING_RECORDS_MAX, HaulConsumer, HaulTransport
from streams.records import LOG_APPEND_TIME

# Of the fastest drain that was measured, rounded up.
RECORDS_A_MS = 15

HOT, QUIET = TP("hot", 0), TP("quiet", 0)


def message_at(tp: TP, offset: int) -> Any:
    return ConsumerRecord(
        tp.topic, tp.partition, offset, 1000, LOG_APPEND_TIME, b"1", b"{}", None, 1, 2, ()
    )


class Fed(HaulConsumer):
    """A consumer that is given its records, and remembers when it began anew."""

    seeks = 0
    committed: Mapping[TP, int | None] = MappingProxyType({})
    begins: Mapping[TP, int] = MappingProxyType({HOT: 0, QUIET: 0})
    assigned = frozenset({HOT, QUIET})
    put_back: Mapping[TP, int] = MappingProxyType({})
    is_broker_away = False

    async def _getmany(self, wanted: Any, _seconds_max: float) -> dict[TopicPartition, list[Any]]:
        self.asked_for = set(wanted)
        self.meanwhile()
        return {TopicPartition(*tp): messages for tp, messages in self.given.items()}

    async def perform_seek(self) -> None:
        self.seeks += 1
        if self.is_broker_away:
            raise KafkaConnectionError
        self._read_offset.update(self.committed)

    def assignment(self) -> set[TP]:
        return set(self.assigned)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.begins[tp] for tp in partitions}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.put_back = partitions

    async def sleep(self, _seconds: Any) -> None:
        pass

    def give(self, tp: TP, *offsets: int) -> None:
        self.given = {tp: [message_at(tp, offset) for offset in offsets]}

    given: dict[TP, list[Any]]
    asked_for: set[TP]
    meanwhile: Callable[[], None]


class FedTransport(HaulTransport):
    Consumer = Fed


@pytest.fixture
async def fed() -> AsyncIterator[Any]:
    """A consumer at work, with an agent's channel for each of two topics."""
    app = faust.App("fed", broker="kafka://nowhere", monitor=faust.Monitor())
    app.transport = FedTransport("kafka://nowhere", app)
    for tp in (HOT, QUIET):
        channel = app.topic(tp.topic, value_type=bytes).clone(is_iterator=True)
        app.topics._topic_name_index[tp.topic].add(channel)
        app.topics._tp_index[tp].add(channel)
    consumer: Any = app.consumer
    consumer._set_active_tps({HOT, QUIET})
    consumer.meanwhile = lambda: None
    app.flow_control.resume()
    yield consumer
    consumer._thread.thread_loop.close()


def waiting(consumer: Any, tp: TP = HOT) -> list[list[int]]:
    """The offsets of the hauls that wait for an agent."""
    (channel,) = consumer.app.topics._tp_index[tp]
    return [[message.offset for message in haul.messages] for haul in channel.queue._queue]


async def test_what_is_fetched_waits_for_its_agent_as_it_came(fed: Any) -> None:
    for offsets in ((3, 4), (5, 8)):
        fed.give(HOT, *offsets)
        await fed._fetch()
    assert waiting(fed) == [[3, 4], [5, 8]]
    assert waiting(fed, QUIET) == []
    assert fed.seeks == 0


async def test_what_was_handed_on_before_is_left_out(fed: Any) -> None:
    for offsets in ((3, 4), (4, 5), (3, 4)):
        fed.give(HOT, *offsets)
        await fed._fetch()
    assert waiting(fed) == [[3, 4], [5]]


def stops(consumer: Any) -> None:
    consumer.stop_flow()


def suspends(consumer: Any) -> None:
    consumer.app.flow_control.suspend()


def moves(consumer: Any) -> None:
    consumer.app.consumer_generation_id += 1


def pauses(consumer: Any) -> None:
    consumer.pause_partitions({HOT})


def goes_on(consumer: Any) -> None:
    consumer.meanwhile = lambda: None
    consumer.app.flow_control.resume()
    consumer.resume_flow()
    consumer.resume_partitions({HOT})


@pytest.mark.parametrize("happens", [stops, suspends, moves, pauses])
async def test_what_is_fetched_while_partitions_move_is_fetched_again(
    fed: Any, happens: Callable[[Any], None]
) -> None:
    fed.give(HOT, 3, 4)
    fed.meanwhile = lambda: happens(fed)
    await fed._fetch()
    assert waiting(fed) == []
    assert fed._read_offset[HOT] is None
    goes_on(fed)
    await fed._fetch()
    assert fed.seeks == 1
    await fed._fetch()
    assert waiting(fed) == [[3, 4]]
    assert fed.seeks == 1


async def test_where_nothing_is_committed_yet_the_first_record_is_fetched_again(fed: Any) -> None:
    fed.committed = {HOT: None, QUIET: 5}
    fed.begins = {HOT: 7}
    fed.give(HOT, 7)
    fed.meanwhile = lambda: moves(fed)
    await fed._fetch()
    await fed._fetch()
    assert waiting(fed) == []
    assert fed.put_back == {HOT: 7}


async def test_nothing_is_fetched_until_what_was_given_away_can_be_fetched_again(fed: Any) -> None:
    fed.give(HOT, 3, 4)
    fed.meanwhile = lambda: moves(fed)
    await fed._fetch()
    goes_on(fed)
    fed.is_broker_away = True
    for _ in range(3):
        await fed._fetch()
    assert (fed.seeks, waiting(fed)) == (3, [])
    fed.is_broker_away = False
    await fed._fetch()
    await fed._fetch()
    assert (fed.seeks, waiting(fed)) == (4, [[3, 4]])


async def test_who_has_no_partition_any_more_has_nothing_to_fetch_again(fed: Any) -> None:
    fed.give(HOT, 3, 4)
    fed.meanwhile = lambda: moves(fed)
    await fed._fetch()
    fed.assigned = frozenset()
    fed.is_broker_away = True
    await fed._fetch()
    fed.give(HOT)
    await fed._fetch()
    assert fed.asked_for == {HOT, QUIET}
    assert (fed.seeks, waiting(fed)) == (0, [])


async def test_nothing_is_fetched_for_an_agent_that_has_enough(fed: Any) -> None:
    fed.give(HOT, *range(WAITING_RECORDS_MAX - 1))
    await fed._fetch()
    await fed._fetch()
    assert fed.asked_for == {HOT, QUIET}
    fed.give(HOT, WAITING_RECORDS_MAX)
    await fed._fetch()
    fed.give(QUIET, 1)
    await fed._fetch()
    assert fed.asked_for == {QUIET}
    assert waiting(fed, QUIET) == [[1]]


async def test_two_agents_of_one_topic_are_refused(fed: Any) -> None:
    fed.app.topics._tp_index[HOT].add(fed.app.topic("hot", value_type=bytes))
    fed.give(HOT, 1)
    with pytest.raises(ValueError, match="too many values"):
        await fed._fetch()


async def test_a_broker_keeps_an_empty_fetch_no_longer_than_an_agent_has_work(fed: Any) -> None:
    transport: Any = HaulTransport(fed.app.conf.broker_consumer, fed.app)
    made = fed._thread._create_worker_consumer(transport)
    await made.stop()
    assert made._isolation_level == "read_committed"
    # What waits for one agent lasts longer than the fetch for the others that it waits behind.
    assert made._fetch_max_wait_ms == FETCH_WAIT_MS < WAITING_RECORDS_MAX / RECORDS_A_MS
