"""`fairline worker --kind gateway`: lets services in that have a topic of their own."""

from app.ingress import ingresses_in
from app.node import faust_settings, process, running, until_stopped
from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from streams.gateway_worker import GatewayWorker


async def run_gateway(settings: Settings) -> None:
    """Pass commands on until SIGTERM or SIGINT. StartError where no service is named."""
    ingresses = ingresses_in(settings)
    if not ingresses:
        message = "FAIRLINE_INGRESS names no service"
        raise StartError(message)
    worker = GatewayWorker(
        faust_settings(settings, "gateway", settings.gateway_port),
        ingresses,
        topics_in(settings),
        settings.batch_max,
    )
    async with process() as stop, running(worker, stop):
        await until_stopped("gateway", f"services {', '.join(sorted(ingresses))}", stop)
