"""How Kafka is reached and who we are there: in one place for every client of it.

An address is shown and logged as host and port; what opens it goes along and is shown to nobody.
"""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka.helpers import create_ssl_context

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Encryption and SASL/SCRAM. `ca_file`: whom to believe; empty: the system's authorities."""

    security: Security = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def has_sasl(self) -> bool:
        """Tell whether a name and a password are shown to the broker."""
        return self.security.startswith("SASL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """Make the TLS context: the broker's certificate and its name are checked, always."""
        if not self.security.endswith("SSL"):
            return None
        context: ssl.SSLContext = create_ssl_context(cafile=self.ca_file or None)
        return context

    def options(self) -> dict[str, Any]:
        """Return what a client of aiokafka is told beside the address."""
        options: dict[str, Any] = {
            "security_protocol": self.security,
            "ssl_context": self.ssl_context(),
        }
        if self.has_sasl:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options


class KafkaAddress(str):
    """`host:port[,host:port]`, and how to get in there. As text it is the address alone."""

    access: KafkaAccess

    def __new__(cls, servers: str, access: KafkaAccess) -> "KafkaAddress":
        """Make an address that opens."""
        made = super().__new__(cls, servers)
        made.access = access
        return made


def access_of(address: str) -> KafkaAccess:
    """Return how an address is entered; one that is mere text is open."""
    return getattr(address, "access", KafkaAccess())


def kafka_options(address: str) -> dict[str, Any]:
    """Return where and how a client of aiokafka connects."""
    access = access_of(address)
    servers = {"bootstrap_servers": str(address)}
    return servers if access.security == "PLAINTEXT" else {**servers, **access.options()}
