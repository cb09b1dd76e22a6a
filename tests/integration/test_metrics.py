"""What edges and workers count is there to be read, and not where clients are."""

from aiohttp import ClientSession

from app.services.ports import free_port
from tests.client import eventually
from tests.edges import Customer
from tests.installation import Installation


async def read(url: str) -> str | None:
    async with ClientSession() as session, session.get(f"{url}/metrics") as response:
        return await response.text() if response.status == 200 else None


async def test_an_edge_and_a_worker_say_what_they_count(installation: Installation) -> None:
    port = free_port()
    counting = installation.with_settings(metrics_port=port)
    async with (
        counting.process("worker", port_name="worker_port") as worker,
        counting.process("edge", port_name="http_port") as edge,
    ):
        await worker.ready()
        await edge.ready()
        async with ClientSession(edge.url) as session:
            assert (await Customer(session).charge(1, 10)).status == 200
        applied = await eventually(lambda: read(worker.url), "the worker's page")
        assert 'fairline_records_applied_total{disposition="APPLIED"} 1.0' in applied
        asked = await eventually(lambda: read(f"http://127.0.0.1:{port}"), "the edge's page")
        charged = 'method="POST",route="/api/v1/balance/charge",status="200"'
        assert f"fairline_requests_total{{{charged}}} 1.0" in asked
        assert "fairline_waiting_records{" in asked
        assert await read(edge.url) is None
