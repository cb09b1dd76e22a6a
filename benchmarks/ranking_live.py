"""A ranking worker on a million loaded sums and a log full of sales, in a process of its own.

Started by `benchmarks.ranking`; prints one JSON object.
"""

import argparse
import asyncio
import random
import time
from pathlib import Path

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer

from app.node import faust_settings
from app.services.ports import free_port
from app.settings import Settings
from app.topics import topics_in
from benchmarks.ranking_load import rss_mb
from domain.ranking import Sale
from storage.engine import create_database
from streams.admin import ensure_topics
from streams.outcomes import moment
from streams.topics import Topics
from tables.clock import now_ms
from tables.worker import RankingWorker

QUIET_SECONDS = 3.0
LOOK_SECONDS = 0.05


class Live(msgspec.Struct):
    """What was measured; sales are counted as they are in production, changelog and all."""

    start_seconds: float
    sales: int
    sales_per_second: float
    cpu_us_per_sale: float
    values: int
    rss_mb: float


async def run(settings: Settings, sales: int, products: int) -> Live:
    """Fill the log, start the worker, and see how fast it comes to the end."""
    topics = topics_in(settings)
    await ensure_topics(settings.kafka_url, topics.all)
    await append(settings.kafka_url, topics, sales, products)
    database = create_database(settings.sqlalchemy_url)
    faust = faust_settings(settings, "ranking", free_port())
    worker = RankingWorker(faust, database, topics, settings.zone)
    began = time.perf_counter()
    await worker.start()
    started = time.perf_counter() - began
    try:
        return await watch(worker, started)
    finally:
        await worker.stop()
        await database.dispose()


async def append(kafka_url: str, topics: Topics, sales: int, products: int) -> None:
    """Append sales of random products, as if paid for just now."""
    dice, at = random.Random(1), moment(now_ms()).isoformat()
    async with AIOKafkaProducer(bootstrap_servers=kafka_url, linger_ms=20) as producer:
        for offset in range(sales):
            product_id = dice.randint(1, products)
            source = {"epoch": 1, "topic": topics.user_commands.name, "offset": offset}
            event = {
                "eventId": f"{offset}:1",
                "type": "SaleRecorded",
                "orderId": f"{offset}",
                "productId": product_id,
                "quantity": 1,
                "soldAt": at,
                "source": source | {"partition": offset % topics.user_commands.partitions},
            }
            value, key = msgspec.json.encode(event), str(product_id).encode()
            await producer.send(topics.product_sales.name, value, key=key)


async def watch(worker: RankingWorker, started: float) -> Live:
    """Wait until nothing more is counted."""
    with worker._live.recording() as counted:
        first, cpu = time.perf_counter(), time.process_time()
        last, last_cpu, known = first, cpu, 0
        while time.perf_counter() < last + QUIET_SECONDS:
            if len(counted) > known:
                last, last_cpu, known = time.perf_counter(), time.process_time(), len(counted)
            await asyncio.sleep(LOOK_SECONDS)
    return figures(worker, started, counted, (last - first, last_cpu - cpu))


def figures(
    worker: RankingWorker, started: float, counted: list[Sale], took: tuple[float, float]
) -> Live:
    """Put together what was seen."""
    number = max(len(counted), 1)
    return Live(
        start_seconds=started,
        sales=len(counted),
        sales_per_second=number / took[0],
        cpu_us_per_sale=took[1] / number * 1e6,
        values=worker._live.values,
        rss_mb=rss_mb(),
    )


def main() -> None:
    """Run with what the parent says."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("database", "kafka", "prefix", "folder"):
        parser.add_argument(name)
    for name in ("sales", "products"):
        parser.add_argument(name, type=int)
    said = parser.parse_args()
    settings = Settings(
        database_url=said.database,
        kafka_url=said.kafka,
        topic_prefix=said.prefix,
        data_dir=Path(said.folder),
    )
    print(msgspec.json.encode(uvloop.run(run(settings, said.sales, said.products))).decode())


if __name__ == "__main__":
    main()
