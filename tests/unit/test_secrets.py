"""What nobody may see is in no log line and in no answer, whatever goes wrong."""

import logging

import pytest

from app.services.ports import free_port
from app.settings import Settings
from app.topics import topics_in
from tests.edges import edge_of
from tests.installation import Installation

PASSWORD = "pa55-w0rd"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.s3cr3t.sig"
PATHS = (
    "/readyz",
    "/livez",
    "/api/v1",
    "/api/v1/balance?userId=1",
    "/api/v1/products",
    "/api/v1/commands/5f0c7d3e-4c5b-4f0e-9a39-2b8f6a1c0d11",
    f"/api/v1/balance?userId=1&access_token={TOKEN}",
    f"/nowhere/{TOKEN}",
)


async def test_passwords_and_tokens_are_in_no_log_and_in_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    # Nothing answers there: what fails is what is talked about most.
    login, nobody = f"someone:{PASSWORD}", f"127.0.0.1:{free_port()}"
    settings = Settings(
        kafka_url=nobody,
        database_url=f"postgresql://{login}@{nobody}/shop",
        redis_url=f"redis://{login}@{nobody}/0",
    )
    installation = Installation(settings, topics_in(settings))
    redis_url = settings.redis_url
    async with edge_of(installation, is_ready=False, redis_url=redis_url) as customer:
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Cookie": f"token={TOKEN}",
            "Idempotency-Key": PASSWORD,
            "X-Request-Id": f'"{TOKEN}"',
        }
        told = []
        for path in PATHS:
            async with customer.http.get(path, headers=headers) as response:
                told.append(f"{response.headers} {await response.text()}")
        for body in ({"userId": 1, "amount": 1}, {"password": PASSWORD, "amount": TOKEN}):
            path = "/api/v1/balance/charge"
            async with customer.http.post(path, json=body, headers=headers) as response:
                told.append(f"{response.headers} {await response.text()}")
    # The client of the test logs nothing of its own; what is left is the edge's.
    assert len(caplog.records) > 3
    for text in (caplog.text, *told):
        assert PASSWORD not in text
        assert TOKEN not in text
