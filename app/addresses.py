"""The addresses that our processes listen on: chosen, checked, and asked whether all is well."""

import json
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError

from app.services.errors import StartError
from app.services.ports import free_port, why_not
from app.settings import Settings

PORT_TO_HOST = {
    "http_port": "http_host",
    "worker_port": "worker_host",
    "ranking_port": "worker_host",
    "gateway_port": "worker_host",
    "metrics_port": "worker_host",
}
_ALWAYS_SERVED = ("http_port", "worker_port", "ranking_port")
ANY_TO_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104


def with_free_ports(settings: Settings) -> Settings:
    """The same settings with a port for a 0; StartError for one that is in use."""
    require_free(settings, *PORT_TO_HOST)
    free = {name: free_port() for name in _ALWAYS_SERVED if not getattr(settings, name)}
    return settings.model_copy(update=free)


def require_free(settings: Settings, *names: str) -> None:
    """StartError for the first of these ports on which we cannot listen."""
    for name in names:
        port, host = getattr(settings, name), _host_of(settings, name)
        if port and (reason := why_not(host, port)):
            message = f"cannot listen on {host}:{port} ({reason}): set FAIRLINE_{name.upper()}"
            raise StartError(message)


def address_of(settings: Settings, port_name: str) -> str:
    """The URL under which this machine reaches that port."""
    host = _host_of(settings, port_name)
    host = ANY_TO_LOOPBACK.get(host, host)
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{bracketed}:{getattr(settings, port_name)}"


def _host_of(settings: Settings, port_name: str) -> str:
    """The embedded Kafka has no host of its own to set: it listens on this machine alone."""
    return getattr(settings, PORT_TO_HOST.get(port_name, ""), "127.0.0.1")


def answers_ok(url: str) -> bool:
    """Whether a GET is answered with 200."""
    return not why_unwell(url)


def why_unwell(url: str) -> str:
    """Ask a health view; return the names of the checks that fail, nothing where it says 200."""
    # A proxy that the environment names has no business between us and ourselves.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as response:
            return "" if response.status == 200 else f"answered with {response.status}"
    except HTTPError as error:
        with error:
            return _failing(error.read()) or f"answered with {error.code}"
    except (OSError, HTTPException) as error:
        return f"no answer: {error}"


def _failing(body: bytes) -> str:
    try:
        checks = json.loads(body)["checks"]
        return ", ".join(name for name, holds in checks.items() if not holds)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
