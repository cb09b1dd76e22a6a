"""A Kafka that asks who is there: SASL/SCRAM in the clear and over TLS, and access lists."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.acls import Rule
from app.services.kafka import Kafka
from app.services.ports import free_port

PASSWORD = "a password"
_LISTENERS = "SASL_PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls},OWN://127.0.0.1:{own}"
_PROTOCOLS = "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,OWN:PLAINTEXT,CONTROLLER:PLAINTEXT"
_SECURED = f"""\
listeners={_LISTENERS},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners={_LISTENERS}
listener.security.protocol.map={_PROTOCOLS}
controller.quorum.voters=1@127.0.0.1:{{controller}}
inter.broker.listener.name=OWN
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={{jaas}}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={{jaas}}
ssl.keystore.type=PEM
ssl.keystore.location=server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
# The node's own listener is nobody else's, and has no names.
super.users=User:root;User:ANONYMOUS
"""
_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_REPLACED = {line.partition("=")[0] for line in _SECURED.splitlines()}


class SecuredKafka(Kafka):
    """Kafka with these users, all with one password."""

    def __init__(self, folder: Path, users: list[str]) -> None:
        super().__init__(folder, free_port())
        self.tls_port, self.open_port = free_port(), free_port()
        self.tls_url = f"127.0.0.1:{self.tls_port}"
        self.ca_file = folder / "server.crt"
        self.format_words = tuple(
            f"--add-scram=SCRAM-SHA-512=[name={user},password={PASSWORD}]"
            for user in ("root", *users)
        )

    def properties(self) -> str:
        """Replace what is open by what is not."""
        key, certificate = certificate_of_loopback()
        (self.folder / "server.pem").write_bytes(key + certificate)
        self.ca_file.write_bytes(certificate)
        controller = free_port()
        plain = super().properties().splitlines()
        kept = [line for line in plain if line.partition("=")[0] not in _REPLACED]
        secured = _SECURED.format(
            port=self.port,
            tls=self.tls_port,
            own=self.open_port,
            controller=controller,
            jaas=_JAAS,
        )
        return "\n".join(kept) + "\n" + secured


def certificate_of_loopback() -> tuple[bytes, bytes]:
    """Make a key and a certificate of its own for this machine's address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka")])
    now = datetime.now(UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Entry:
    """How a test enters as one user, by librdkafka."""

    kafka: SecuredKafka
    user: str
    password: str = PASSWORD

    def options(self) -> dict[str, Any]:
        """Return the settings of a client."""
        return {
            "bootstrap.servers": self.kafka.url,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.user,
            "sasl.password": self.password,
            "logger": _silent(),
        }


def _silent() -> Any:
    import logging  # noqa: PLC0415

    quiet = logging.getLogger("librdkafka")
    quiet.setLevel(logging.CRITICAL)
    return quiet


def apply_rules(kafka: SecuredKafka, rules: list[Rule]) -> None:
    """Let Kafka keep these access lists."""
    admin = AdminClient(Entry(kafka, "root").options())
    for done in admin.create_acls([_binding(rule) for rule in rules]).values():
        done.result(60)


def _binding(rule: Rule) -> AclBinding:
    kinds = {"topic": "TOPIC", "group": "GROUP", "cluster": "BROKER"}
    return AclBinding(
        ResourceType[kinds[rule.kind]],
        rule.name,
        ResourcePatternType.PREFIXED if rule.is_prefix else ResourcePatternType.LITERAL,
        f"User:{rule.role}",
        "*",
        AclOperation[rule.operation.upper()],
        AclPermissionType.ALLOW,
    )
