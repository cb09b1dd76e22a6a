"""A connection to Kafka whose other side went away, under the event loop that processes use."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.connections import mend_connections


async def _send_after_the_end(kafka_url: str) -> None:
    host, port = kafka_url.split(":")
    async with asyncio.timeout(30):
        connection = await create_conn(host, int(port))
        # The loop closes what the other side broke off; a moment later its reader hears of it.
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError, match="broken"):
            await connection.send(MetadataRequest(["any"]))
        assert not connection.connected()


def test_a_write_after_the_end_is_told_as_a_broken_connection(
    kafka_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Put back afterwards: other tests are about aiokafka as it comes.
    monkeypatch.setattr("aiokafka.conn.AIOKafkaConnection", None)
    mend_connections()
    uvloop.run(_send_after_the_end(kafka_url))
