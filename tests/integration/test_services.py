"""The real services as child processes: they answer, and they leave no trace."""

import asyncpg
import redis
from aiokafka.admin import AIOKafkaAdminClient


async def test_a_real_kafka_answers(kafka_url: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
    await admin.start()
    try:
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    assert len(cluster["brokers"]) == 1


async def test_a_real_postgresql_answers_and_is_durable(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    finally:
        await connection.close()


def test_a_real_redis_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
