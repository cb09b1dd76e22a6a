"""The Faust app of the command worker: its settings, its agents, its health views.

Settings follow what was measured of Faust 0.15.3 (docs/adr/0002-faust.md).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from faust.web import Request, Response, View

from streams.consumer import CommittedTransport
from streams.haul_consumer import HaulTransport
from streams.health import WorkerHealth
from streams.intake import Intake
from streams.kafka_access import access_of
from streams.metrics import CONTENT_TYPE, render
from streams.prompt_tables import PromptTables
from streams.topics import Topics

HEARTBEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FaustSettings:
    """What an operator decides about a Faust worker."""

    kafka_url: str
    group: str
    web_host: str
    web_port: int
    data_dir: Path
    member_name: str | None = None
    session_timeout_seconds: float = 8.0


def create_faust_app(
    settings: FaustSettings, transport: type[CommittedTransport] = CommittedTransport
) -> Any:
    """Make a Faust app with the settings that every worker of ours needs."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.kafka_url.split(",")],
        broker_credentials=credentials_of(settings.kafka_url),
        datadir=settings.data_dir,
        processing_guarantee="at_least_once",
        key_serializer="raw",
        value_serializer="raw",
        consumer_group_instance_id=settings.member_name,
        broker_session_timeout=settings.session_timeout_seconds,
        # A heartbeat's answer tells that partitions move: until then nobody serves them.
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_rebalance_timeout=20.0,
        broker_commit_interval=0.5,
        broker_max_poll_interval=120.0,
        stream_wait_empty=True,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        TableManager=PromptTables,
        web_enabled=True,
        web_bind=settings.web_host,
        web_port=settings.web_port,
        web_host=settings.web_host,
        canonical_url=_url_of(settings),
        web_tables_enabled=False,
        web_router_enabled=False,
    )
    app.transport = transport(app.conf.broker_consumer, app, loop=app.loop)
    _add_metrics_view(app)
    return app


def credentials_of(address: str) -> Any:
    """Return how Faust enters Kafka; None where it is open."""
    access = access_of(address)
    context = access.ssl_context()
    if access.has_sasl:
        return faust.SASLCredentials(
            username=access.username,
            password=access.password,
            ssl_context=context,
            mechanism=access.mechanism,
        )
    return None if context is None else faust.SSLCredentials(context=context)


def _url_of(settings: FaustSettings) -> str:
    """Return what the group knows a worker by.

    A named member that comes back may get its old assignment, and Faust stands still for ever
    if the address in it is not its own any more: so a name is its own address.
    """
    if settings.member_name is not None:
        return f"http://{settings.member_name}"
    return f"http://{settings.web_host}:{settings.web_port}"


def create_command_app(
    settings: FaustSettings, topics: Topics, intake: Intake, health: WorkerHealth
) -> Any:
    """Make the app with one agent per command topic; each is serial over its partitions."""
    app = create_faust_app(settings, HaulTransport)
    # What one batch may hold is fetched at once: so no haul is larger.
    app.conf.broker_max_poll_records = intake.batch_max

    def commands(name: str) -> Any:
        return app.topic(name, key_type=bytes, value_type=bytes)

    @app.agent(commands(topics.user_commands.name), name="process-user-commands", concurrency=1)
    async def process_user_commands(stream: Any) -> None:
        await intake.process(stream)

    @app.agent(
        commands(topics.coupon_commands.name), name="process-coupon-commands", concurrency=1
    )
    async def process_coupon_commands(stream: Any) -> None:
        await intake.process(stream)

    @app.agent(
        commands(topics.catalog_commands.name), name="process-catalog-commands", concurrency=1
    )
    async def process_catalog_commands(stream: Any) -> None:
        await intake.process(stream)

    add_health_views(app, health)
    return app


def _add_metrics_view(app: Any) -> None:
    @app.page("/metrics", name="metrics")
    async def metrics(view: View, _request: Request) -> Response:
        return view.bytes(render(), headers={"Content-Type": CONTENT_TYPE})


def add_health_views(app: Any, health: WorkerHealth) -> None:
    """Serve what the worker knows of its health."""

    @app.page("/livez", name="livez")
    async def livez(view: View, _request: Request) -> Response:
        alive = health.liveness.is_alive
        return view.json(health.liveness.answer(), status=200 if alive else 503)

    @app.page("/readyz", name="readyz")
    async def readyz(view: View, _request: Request) -> Response:
        facts = {"checks": health.checks(), "alarms": health.alarms, **health.details}
        status = 200 if health.is_ready else 503
        return view.json({"status": "ok" if status == 200 else "unready", **facts}, status=status)
