"""An edge that is about to stop: whoever asks learns of it, and nobody is turned away yet."""

from aiohttp.test_utils import TestClient

from tests.edges import edge_of
from tests.installation import Installation
from web.edge import EDGE

PATH = "/api/v1/balance?userId=1"


async def test_an_edge_that_drains_says_so_and_still_serves(installation: Installation) -> None:
    async with edge_of(installation, wait_seconds=0.5) as customer:
        before = await customer.get(PATH)
        assert (before.status, before.headers.get("Connection")) == (200, None)
        assert isinstance(customer.http, TestClient)
        app = customer.http.app
        assert app is not None
        app[EDGE].commands.leave()
        assert (await customer.get("/readyz")).status == 503
        assert (await customer.checks())["accepting"] is False
        last = await customer.get(PATH)
        assert (last.status, last.headers.get("Connection")) == (200, "close")
        # Nobody applies it here; it is in the log, and that is what counts.
        assert (await customer.charge(1, 100)).status == 202
