"""How fast an audit reads: a shop of many commands, made by the real batch, then looked at.

`python -m benchmarks.audit 10000 --copies 100 --file shop.db [--replay]` applies so many commands
to a new SQLite file, copies them, runs `fairline audit` on it, and prints rows per second and
memory. A file that is there already is looked at as it is.

A replay exits with 1 on copies: the keys of their events are base64, and stay those of the first.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from app.settings import Settings
from benchmarks.audit_copies import COUPON, PRODUCT, USER, copy
from storage.engine import create_database
from storage.marks import LogEpoch, Mark, insert_log_epoch, insert_marks
from storage.migrate import upgrade_async
from streams.batch import BatchApplier
from streams.codec import CommandReader, partition_of
from streams.decisions import Rulebook
from streams.kinds import KINDS
from streams.records import LOG_APPEND_TIME, Place, Record
from streams.topics import topics_of

TOPICS = topics_of("", 8)
BATCH = 2_000
USERS = 2_000
PRODUCTS = 100
COUPONS = 10
START_MS = 1_800_000_000_000


class Shop:
    """Makes commands as a busy shop gets them: charges, orders, payments, coupons, repeats."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, int], int] = {}
        self._orders: deque[tuple[int, str]] = deque(maxlen=500)
        self._last: deque[tuple[str, dict[str, Any]]] = deque(maxlen=100)
        self._chance = random.Random(1)
        self._made = 0

    def open(self) -> Iterator[Record]:
        """Define products and coupons."""
        for number in range(PRODUCTS):
            named = {"productId": PRODUCT + number, "name": f"product {number}", "price": 100}
            yield self._record("DefineProduct", {**named, "stock": 10**9})
        for number in range(COUPONS):
            named = {"couponCode": f"{COUPON}{number}", "total": 50, "discountAmount": 50}
            yield self._record("DefineCoupon", named)

    def trade(self, commands: int) -> Iterator[Record]:
        """Make so many commands."""
        for _ in range(commands):
            yield self._next()

    def _next(self) -> Record:
        user, dice = USER + self._chance.randrange(USERS), self._chance.random()
        if dice < 0.4:
            return self._record("ChargeBalance", {"userId": user, "amount": 200})
        if dice < 0.6 or not self._orders:
            items = [{"productId": PRODUCT + self._chance.randrange(PRODUCTS), "quantity": 1}]
            record = self._record("CreateOrder", {"userId": user, "items": items})
            self._orders.append((user, self._last[-1][0]))
            return record
        user, order_id = self._chance.choice(self._orders)
        if dice < 0.8:
            return self._record("PayOrder", {"userId": user, "orderId": order_id})
        if dice < 0.85:
            return self._record("CancelOrder", {"userId": user, "orderId": order_id})
        if dice < 0.95:
            code = f"{COUPON}{self._chance.randrange(COUPONS)}"
            return self._record("IssueCoupon", {"userId": user, "couponCode": code})
        return self._append(*self._chance.choice(self._last))

    def _record(self, kind: str, payload: dict[str, Any]) -> Record:
        self._made += 1
        command_id = str(UUID(int=self._made * 0x9E3779B97F4A7C15F39CC060 % 2**96))
        envelope = {"commandId": command_id, "type": kind, "payload": payload}
        self._last.append((command_id, envelope))
        return self._append(command_id, envelope)

    def _append(self, _command_id: str, envelope: dict[str, Any]) -> Record:
        topic = getattr(TOPICS, KINDS[envelope["type"]].topic).name
        name = {"user-commands": "userId", "coupon-commands": "couponCode"}.get(topic, "productId")
        key = str(envelope["payload"][name]).encode()
        partition = partition_of(key, 8)
        offset = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = offset + 1
        place = Place(topic, partition, offset)
        at_ms = START_MS + self._made
        return Record(place, key, json.dumps(envelope).encode(), (), at_ms, LOG_APPEND_TIME)


async def fill(url: str, commands: int) -> None:
    """Apply commands to a new database."""
    await upgrade_async(url)
    database = create_database(url)
    applier = BatchApplier(database, CommandReader(TOPICS), Rulebook(TOPICS, 1, 10**7, 900_000))
    shop = Shop()
    try:
        async with database.begin() as connection:
            await insert_log_epoch(connection, LogEpoch(1, "benchmark", START_MS))
            marks = [
                Mark(t.name, p, 1, 0, 0) for t in TOPICS.commands for p in range(t.partitions)
            ]
            await insert_marks(connection, marks)
        await _apply(applier, list(shop.open()))
        for first in range(0, commands, BATCH):
            await _apply(applier, list(shop.trade(min(BATCH, commands - first))))
    finally:
        await database.dispose()


async def _apply(applier: BatchApplier, records: list[Record]) -> None:
    for topic in TOPICS.commands:
        if batch := [record for record in records if record.place.topic == topic.name]:
            await applier.apply(batch)


def look(url: str, *words: str) -> None:
    """Run `fairline audit` in a process of its own, and print its figures."""
    command = (sys.executable, "-m", "app.cli", "audit", "--json", *words)
    environment = {**os.environ, "FAIRLINE_DATABASE_URL": url}
    began = time.monotonic()
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    seconds = time.monotonic() - began
    verdict = json.loads(ran.stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"audit {' '.join(words)}: exit {ran.returncode}, {verdict['rows']:,} rows"
        f" in {seconds:.0f} s of which {used.ru_utime + used.ru_stime:.0f} s of processor time,"
        f" {verdict['rows'] / seconds:,.0f} rows/s, {used.ru_maxrss / 1024:,.0f} MB at most"
    )


def main() -> None:
    """Fill, and look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", type=int)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--replay", action="store_true")
    asked = parser.parse_args()
    url = f"sqlite:///{asked.file.absolute()}"
    if not asked.file.exists():
        asyncio.run(fill(Settings(database_url=url).sqlalchemy_url, asked.commands))
        copy(asked.file, asked.copies)
    look(url, *(["--replay"] if asked.replay else []))


if __name__ == "__main__":
    main()
