"""A Kafka that knows its users: who may write what, and what the gateway makes of it."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from app.acls import WRITE, rules_of
from app.ingress import ingress_topics, ingresses_in
from app.node import faust_settings
from app.services.ports import free_port
from app.settings import Settings
from app.topics import topics_in
from storage.engine import create_database
from storage.migrate import upgrade_async
from streams import wire
from streams.admin import ensure_topics
from streams.codec import encode_command, key_of, partition_of
from streams.gateway_worker import GatewayWorker
from streams.kafka_access import kafka_options
from streams.worker import CommandLimits, CommandWorker
from tables.top_lists import TopListReader
from tables.worker import RankingWorker
from tests import tokens as issuer
from tests.client import eventually
from tests.edges import Customer, edge_of, until
from tests.installation import Installation
from tests.secured_kafka import (
    PASSWORD,
    Entry,
    SecuredKafka,
    apply_rules,
    certificate_of_loopback,
)
from tests.services import running
from tests.tokens import token

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = ["edge", "worker", "ranking", "gateway", "operator", "shop", "bank", "stranger"]
PARTITIONS = 2
INGRESS = "shop=IssueCoupon,ChargeBalance bank=CreditBalance"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    service = SecuredKafka(tmp_path_factory.mktemp("sasl"), ROLES)
    with running(service):
        yield service


@dataclass(frozen=True)
class Shop:
    """An installation on that Kafka, each process of which enters as itself."""

    kafka: SecuredKafka
    settings: Settings
    customer: Customer

    def seen_by(self, user: str, *, password: str = PASSWORD) -> Settings:
        """The settings of a process that enters as this user, by TLS."""
        return entering(self.settings, self.kafka, user, password)

    async def send(self, user: str, topic: str, envelope: bytes, **more: Any) -> None:
        """Append a record as this user; raises what the broker says."""
        options = kafka_options(self.seen_by(user).kafka)
        async with AIOKafkaProducer(**options, request_timeout_ms=20_000) as producer:
            await producer.send_and_wait(topic, envelope, **more)

    async def result(self, command_id: uuid.UUID) -> dict[str, Any]:
        """Wait for a result of this command, whoever tells it."""
        topic = topics_in(self.settings).command_results
        consumer = AIOKafkaConsumer(**kafka_options(self.seen_by("operator").kafka))
        async with consumer:
            consumer.assign([TopicPartition(topic.name, n) for n in range(topic.partitions)])
            await consumer.seek_to_beginning()
            return await _found(consumer, str(command_id))

    async def query(self, statement: str, *said: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return await Installation(self.settings, topics_in(self.settings)).query(statement, *said)


async def _found(consumer: AIOKafkaConsumer, command_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            told = [json.loads(record.value) for record in records]
            found.extend(each for each in told if each["commandId"] == command_id)
        return bool(found)

    await until(is_there, f"a result of {command_id}")
    return found[-1]


def entering(
    settings: Settings, kafka: SecuredKafka, user: str, password: str = PASSWORD
) -> Settings:
    return settings.model_copy(
        update={
            "kafka_url": kafka.tls_url,
            "kafka_security": "SASL_SSL",
            "kafka_username": user,
            "kafka_password": SecretStr(password),
            "kafka_ca": str(kafka.ca_file),
        }
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    kafka: SecuredKafka, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    settings = Settings(
        kafka_url=kafka.url,
        database_url=database_url,
        topic_prefix="secured-",
        data_dir=tmp_path_factory.mktemp("secured"),
        partitions=PARTITIONS,
        ingress=INGRESS,
        auth="jwt",
    )
    await upgrade_async(settings.sqlalchemy_url)
    apply_rules(kafka, list(rules_of(settings)))
    operator = entering(settings, kafka, "operator")
    topics = [*topics_in(settings).all, *ingress_topics(settings)]
    await ensure_topics(operator.kafka, topics)
    async with AsyncExitStack() as stack:
        await run_worker(stack, entering(settings, kafka, "worker"))
        await run_gateway(stack, entering(settings, kafka, "gateway"))
        seen = entering(settings, kafka, "edge")
        edge = edge_of(
            Installation(seen, topics_in(seen)),
            identifier=issuer.tokens(),
            kafka_url=seen.kafka,
            wait_seconds=30.0,
        )
        yield Shop(kafka, settings, await stack.enter_async_context(edge))


async def run_worker(stack: AsyncExitStack, settings: Settings) -> None:
    database = create_database(settings.sqlalchemy_url)
    stack.push_async_callback(database.dispose)
    limits = CommandLimits(10_000_000, 900_000, 500, 15.0, asks_stamps=True)
    faust = faust_settings(settings, "commands", free_port())
    worker = CommandWorker(faust, database, topics_in(settings), limits)
    stack.push_async_callback(worker.stop)
    await worker.start()
    await eventually(lambda: worker.health.is_ready, "a ready worker")


async def run_gateway(stack: AsyncExitStack, settings: Settings) -> None:
    faust = faust_settings(settings, "gateway", free_port())
    gateway = GatewayWorker(faust, ingresses_in(settings), topics_in(settings), 500)
    stack.push_async_callback(gateway.stop)
    await gateway.start()
    await eventually(lambda: gateway.health.is_ready, "a ready gateway")


async def test_a_user_with_a_token_is_served(shop: Shop) -> None:
    async with shop.customer.http.post(
        "/api/v1/balance/charge",
        json={"userId": 7, "amount": 500},
        headers={"Authorization": f"Bearer {token('7')}"},
    ) as response:
        assert (response.status, (await response.json())["balance"]) == (200, 500)
    rows = await shop.query("SELECT principal FROM command_log WHERE key = '7'")
    assert rows == [("7",)]


async def test_an_admin_credits_and_it_is_on_the_list(shop: Shop) -> None:
    admin = {"Authorization": f"Bearer {token('root', scope=issuer.ADMIN)}"}
    credit = {"userId": 9, "amount": 70, "reason": "ticket 812"}
    async with shop.customer.http.post(
        "/api/v1/admin/balance/credit", json=credit, headers=admin
    ) as response:
        assert (response.status, (await response.json())["creditedAmount"]) == (200, 70)
    async with shop.customer.http.get("/api/v1/admin/actions", headers=admin) as response:
        action = (await response.json())["actions"][0]
    assert (action["principal"], action["type"]) == ("sub:root", "CreditBalance")
    assert (action["reason"], action["status"]) == ("ticket 812", 200)
    assert action["payload"] == {"userId": 9, "amount": 70}


def forged(payload: wire.Shape, command_id: uuid.UUID, **said: Any) -> bytes:
    envelope = json.loads(encode_command(command_id, payload))
    return json.dumps({**envelope, **said}).encode()


FORGED_HEADERS = [("principal", b"7"), ("scope", b"admin"), ("dead-letter-replay", b"x")]


async def test_the_gateway_stamps_who_writes_whatever_is_said(shop: Shop) -> None:
    command_id = uuid.uuid4()
    said = forged(wire.ChargeBalance(42, 100), command_id, principal="sub:root", scope="admin")
    for _ in range(2):
        await shop.send("shop", "secured-ingress-shop", said, headers=FORGED_HEADERS)
    assert (await shop.result(command_id))["status"] == 200
    rows = "SELECT principal, disposition FROM command_log WHERE command_id = $1 ORDER BY id"

    async def both() -> bool:
        return len(await shop.query(rows, str(command_id))) == 2

    await until(both, "both records")
    # What comes twice does nothing the second time.
    assert await shop.query(rows, str(command_id)) == [
        ("service:shop", "APPLIED"),
        ("service:shop", "REPEATED"),
    ]
    assert await shop.query("SELECT balance FROM wallets WHERE user_id = 42") == [(100,)]


async def test_a_service_gives_no_command_that_is_not_its_own(shop: Shop) -> None:
    for user, payload in (
        ("shop", wire.CreditBalance(43, 100, "mine")),
        ("bank", wire.ChargeBalance(43, 100)),
        ("shop", wire.PayOrder(43, "o")),
    ):
        command_id = uuid.uuid4()
        said = forged(payload, command_id, scope="admin")
        await shop.send(user, f"secured-ingress-{user}", said, headers=FORGED_HEADERS)
        told = await shop.result(command_id)
        assert (told["status"], told["body"]["code"]) == (403, "NOT_ALLOWED")
    assert await shop.query("SELECT * FROM wallets WHERE user_id = 43") == []


async def test_an_admin_command_of_a_service_that_may_is_an_admin_action(shop: Shop) -> None:
    command_id = uuid.uuid4()
    said = forged(wire.CreditBalance(44, 100, "interest"), command_id)
    await shop.send("bank", "secured-ingress-bank", said)
    assert (await shop.result(command_id))["body"]["balance"] == 100
    actions = "SELECT principal, type FROM admin_actions WHERE command_id = $1"
    assert await shop.query(actions, str(command_id)) == [("service:bank", "CreditBalance")]


async def test_a_stamp_that_is_wrong_is_a_dead_letter_though_an_edge_wrote_it(shop: Shop) -> None:
    topic = topics_in(shop.settings).user_commands
    for stamp in (None, "8", wire.Stamp("service:shop")):
        command_id = uuid.uuid4()
        payload = wire.ChargeBalance(45, 100)
        key = key_of(payload)
        to = {"key": key, "partition": partition_of(key, topic.partitions)}
        said = encode_command(command_id, payload, stamp)
        await shop.send("edge", topic.name, said, headers=FORGED_HEADERS, **to)
        told = await shop.result(command_id)
        assert (told["status"], told["body"]["reason"]) == (400, "NOT_ALLOWED")
    assert await shop.query("SELECT * FROM wallets WHERE user_id = 45") == []


async def test_the_best_sellers_are_counted_and_read_with_these_rights(shop: Shop) -> None:
    seen, at_edge = shop.seen_by("ranking"), shop.seen_by("edge")
    topics = topics_in(shop.settings)
    async with AsyncExitStack() as stack:
        database = create_database(seen.sqlalchemy_url)
        stack.push_async_callback(database.dispose)
        faust = faust_settings(seen, "ranking", free_port())
        worker = RankingWorker(faust, database, topics, seen.zone, replication=1)
        stack.push_async_callback(worker.stop)
        await worker.start()
        await eventually(lambda: all(worker.status().values()), "a ready ranking worker")
        reader = TopListReader(at_edge.kafka, topics)
        stack.push_async_callback(reader.stop)
        await reader.start()
        await eventually(lambda: len(reader.lists()) == PARTITIONS, "the top lists")


async def test_each_user_writes_what_the_table_says_and_nothing_else(shop: Shop) -> None:
    """Every user tries every topic; what is written nobody could take for a command."""
    settings = shop.settings
    names = [t.name for t in (*topics_in(settings).all, *ingress_topics(settings))]
    allowed = {(r.role, r.name) for r in rules_of(settings) if r.operation == WRITE}
    for user in ROLES:
        if user == "operator":
            continue
        written = {name for name in names if await _is_taken(shop, user, name)}
        assert written == {name for role, name in allowed if role == user}, user


async def _is_taken(shop: Shop, user: str, topic: str) -> bool:
    try:
        await shop.send(user, topic, b"no command", key=b"k")
    except TopicAuthorizationFailedError:
        return False
    return True


@pytest.mark.parametrize("user", ["shop", "nobody"])
async def test_who_knows_no_password_does_not_get_in(shop: Shop, user: str) -> None:
    seen = shop.seen_by(user, password="another")
    await is_kept_out(**kafka_options(seen.kafka))


async def is_kept_out(**options: Any) -> None:
    """See that a client does not come to send anything."""
    producer = AIOKafkaProducer(**options)
    try:
        with pytest.raises(KafkaError):
            await producer.start()
    finally:
        await producer.stop()


async def test_without_a_name_and_in_the_clear_nothing_is_told(shop: Shop) -> None:
    await is_kept_out(bootstrap_servers=shop.kafka.url, request_timeout_ms=2_000)
    with pytest.raises(KafkaException):
        AdminClient(Entry(shop.kafka, "shop", "another").options()).list_topics(timeout=5)


async def test_another_brokers_certificate_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    strange = tmp_path / "ca.crt"
    strange.write_bytes(certificate_of_loopback()[1])
    seen = shop.seen_by("shop").model_copy(update={"kafka_ca": str(strange)})
    await is_kept_out(**kafka_options(seen.kafka))


async def test_the_password_is_shown_nowhere(shop: Shop) -> None:
    seen = shop.seen_by("edge")
    said = [repr(seen), str(seen), repr(seen.kafka), str(seen.kafka), repr(seen.kafka.access)]
    async with shop.customer.http.get("/readyz") as response:
        said.append(await response.text())
    assert not any(PASSWORD in each for each in said)
