"""docker-compose.yml without a container engine: our commands run, the others' settings exist."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.cli_settings import unknown_settings
from app.services.ports import free_port

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
STAYING = sorted(name for name, service in OURS.items() if "healthcheck" in service)
PORT_TO_VARIABLE = {
    "8080": "FAIRLINE_HTTP_PORT",
    "6066": "FAIRLINE_WORKER_PORT",
    "6067": "FAIRLINE_RANKING_PORT",
}


def program(words: list[str]) -> list[str]:
    """The words of a command, its program taken from the environment that the tests run in."""
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


@pytest.fixture(scope="module")
def urls(kafka_url: str, new_database: Callable[[], str], redis_url: str) -> dict[str, str]:
    """What stands in for the names of the compose network."""
    return {
        "FAIRLINE_KAFKA_URL": kafka_url,
        "FAIRLINE_DATABASE_URL": new_database(),
        "FAIRLINE_REDIS_URL": redis_url,
        "FAIRLINE_TOPIC_PREFIX": "compose-",
    }


def test_every_setting_of_our_services_exists() -> None:
    for name, service in OURS.items():
        assert unknown_settings(list(service["environment"])) == [], name


def test_there_is_what_an_installation_needs() -> None:
    commands = [tuple(service["command"][1:]) for service in OURS.values()]
    assert commands.count(("edge",)) == 2
    assert commands.count(("worker", "--kind", "commands")) == 2
    assert commands.count(("worker", "--kind", "ranking")) == 2
    assert commands.count(("migrate",)) == 1
    assert all("healthcheck" in SERVICES[name] for name in ("kafka", "postgres", "redis"))


def test_ranking_workers_reach_each_other_by_their_services_names() -> None:
    for name, service in OURS.items():
        if service["command"][-1] == "ranking":
            told = service["environment"]
            assert told["FAIRLINE_RANKING_URL"] == f"http://{name}:6067"
            assert told["FAIRLINE_WORKER_HOST"] == "0.0.0.0"
            assert "ports" not in service


def test_no_container_is_root_or_can_become_it() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        # Kafka's image has a user of its own; those of the other two begin as root.
        assert name == "kafka" or service["user"] not in ("root", "0"), name
    for name, service in OURS.items():
        assert service["read_only"] is True, name
    *_, user = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert int(user) > 0


def test_what_a_service_waits_for_exists_and_has_what_it_waits_by() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]


def test_our_urls_name_the_services_and_their_users() -> None:
    postgres = SERVICES["postgres"]["environment"]
    urls = COMPOSE["x-urls"]
    user, database = postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]
    login = f"{user}:{postgres['POSTGRES_PASSWORD']}"
    assert urls["FAIRLINE_DATABASE_URL"] == f"postgresql://{login}@postgres:5432/{database}"
    assert (
        f"PLAINTEXT://{urls['FAIRLINE_KAFKA_URL']}"
        == (SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"])
    )


async def test_every_setting_of_the_kafka_service_is_one_that_kafka_knows(kafka_url: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
    await admin.start()
    try:
        broker = (await admin.describe_cluster())["brokers"][0]["node_id"]
        resource = ConfigResource(ConfigResourceType.BROKER, str(broker))
        response = (await admin.describe_configs([resource]))[0]
    finally:
        await admin.close()
    known = {entry[0] for *_, entries in response.resources for entry in entries}
    names = SERVICES["kafka"]["environment"]
    asked = {name.removeprefix("KAFKA_").lower().replace("_", ".") for name in names}
    assert len(known) > 100
    assert asked - known == set()


@pytest.fixture(scope="module")
def migrated(urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The URLs, after the compose file's own migrate command."""
    done = subprocess.run(
        program(OURS["migrate"]["command"]),
        env={**os.environ, **OURS["migrate"]["environment"], **urls},
        cwd=tmp_path_factory.mktemp("migrate"),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    return urls


@pytest.mark.parametrize("name", STAYING)
def test_each_of_our_services_becomes_healthy_and_stops_cleanly(
    name: str, migrated: dict[str, str], tmp_path: Path
) -> None:
    with running(OURS[name], migrated, tmp_path) as (process, health):
        deadline = time.monotonic() + 90
        while subprocess.run(health, check=False, timeout=30).returncode:
            assert process.poll() is None, f"{name} left with {process.returncode}"
            assert time.monotonic() < deadline, f"{name} is not ready"
        process.terminate()
        assert process.wait(20) == 0


@contextmanager
def running(
    service: dict[str, Any], urls: dict[str, str], folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """The service as a process on free ports, and its health check for those ports."""
    ports = {port: str(free_port()) for port in PORT_TO_VARIABLE}
    settings = {variable: ports[port] for port, variable in PORT_TO_VARIABLE.items()}
    environment = {**os.environ, **service["environment"], **urls, **settings}
    health = [ports.get(word, word) for word in service["healthcheck"]["test"][1:]]
    command = program(service["command"])
    with subprocess.Popen(command, env=environment, cwd=folder) as process:
        try:
            yield process, program(health)
        finally:
            process.kill()


def test_the_image_is_made_of_what_is_locked_and_runs_as_nobody_special() -> None:
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    copied = [
        line.split()[1] for line in lines if line.startswith("COPY") and "--from" not in line
    ]
    assert all((ROOT / name).exists() for name in copied)
    assert any("--require-hashes -r requirements.txt" in line for line in lines)
    assert "USER 10001" in lines
    assert lines.index("USER 10001") < lines.index('CMD ["fairline", "run"]')
