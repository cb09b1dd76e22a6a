"""The gateway's process: a Faust app with one agent for each ingress topic."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.app import FaustSettings, add_health_views, create_faust_app
from streams.gateway import Gateway, Ingress
from streams.haul_consumer import HaulTransport
from streams.health import WorkerHealth
from streams.kafka_access import kafka_options
from streams.leave import leave
from streams.membership import LOOK_SECONDS, Membership
from streams.publisher import SEND_SECONDS_MAX
from streams.topics import Topics


class GatewayWorker:
    """Passes commands on from `start` to `stop`."""

    def __init__(
        self,
        settings: FaustSettings,
        ingresses: Mapping[str, Ingress],
        topics: Topics,
        batch_max: int,
    ) -> None:
        self._settings = settings
        self._ingresses = ingresses
        self._topics = topics
        self._batch_max = batch_max
        self._producer: AIOKafkaProducer | None = None
        self._app: Any = None
        self._watch: asyncio.Task[None] | None = None
        self.health = WorkerHealth(details={"broker": str(settings.kafka_url)})

    async def start(self) -> None:
        """Connect, and begin to consume."""
        self._producer = AIOKafkaProducer(
            **kafka_options(self._settings.kafka_url),
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=SEND_SECONDS_MAX * 1000,
        )
        await self._producer.start()
        gateway = Gateway(
            self._ingresses, self._topics, self._producer, batch_max=self._batch_max, leave=leave
        )
        self._app = app = create_faust_app(self._settings, HaulTransport)
        app.conf.broker_max_poll_records = self._batch_max
        for name in self._ingresses:
            topic = app.topic(name, key_type=bytes, value_type=bytes)
            # An agent of each topic: a service that sends much does not stand before others.
            app.agent(topic, name=f"pass-on-{name}", concurrency=1)(gateway.process)
        add_health_views(app, self.health)
        await app.start()
        self._watch = asyncio.create_task(self._keep_watch())

    async def _keep_watch(self) -> None:
        while True:
            app = self._app
            self.health.is_assigned = app._assignment is not None and not app.rebalancing
            await asyncio.sleep(LOOK_SECONDS)

    async def failed(self) -> str:
        """Return, with the reason, once the worker cannot go on; the process should leave."""
        membership = Membership(self._app)
        while not (why := membership.why_ended()):  # noqa: ASYNC110 - Faust has no event.
            await asyncio.sleep(LOOK_SECONDS)
        return why

    async def stop(self) -> None:
        """Finish what is in hand, acknowledge it, and disconnect."""
        if self._watch is not None:
            self._watch.cancel()
        if self._app is not None:
            await self._app.stop()
        if self._producer is not None:
            await self._producer.stop()
