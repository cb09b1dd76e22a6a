"""Every setting of Fairline: one typed object, read from `FAIRLINE_*` environment variables."""

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from web.quotas import read_quota

if TYPE_CHECKING:
    from streams.kafka_access import KafkaAddress

_ALGORITHM = "(RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA)"


class Settings(BaseSettings):
    """What an operator may change. An empty URL means the embedded service of that kind."""

    model_config = SettingsConfigDict(env_prefix="FAIRLINE_", frozen=True, extra="ignore")

    http_host: str = Field("127.0.0.1", description="Address the edge listens on.")
    auth: str = Field(
        "none",
        pattern="^(none|jwt)$",
        description="none: whoever reaches the edge acts as anybody; jwt: who has a token.",
    )
    auth_none_beyond_loopback: bool = Field(
        default=False,
        description="Serve without tokens at other addresses than this machine's own.",
    )
    jwt_keys: str = Field(
        "", description="Public keys of tokens: a PEM or JWK file, or the https URL of a JWK set."
    )
    jwt_algorithms: str = Field(
        "RS256",
        pattern=rf"^{_ALGORITHM}(,{_ALGORITHM})*$",
        description="Algorithms that tokens are signed with, with commas; a token chooses none.",
    )
    jwt_issuer: str = Field("", description="The `iss` of every token.")
    jwt_audience: str = Field("", description="What the `aud` of every token names.")
    jwt_admin_scope: str = Field(
        "fairline:admin",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,100}$",
        description="The word in a token's `scope` that opens the admin routes.",
    )
    jwt_leeway_seconds: float = Field(
        10.0, ge=0, le=60, description="How far an issuer's clock may be from ours."
    )
    http_port: int = Field(8080, ge=0, le=65535, description="Port the edge listens on.")
    worker_host: str = Field("127.0.0.1", description="Address of the workers' web views.")
    ranking_url: str = Field(
        "",
        description="URL at which others reach this ranking worker's views; empty: its address.",
    )
    worker_port: int = Field(
        6066, ge=1, le=65535, description="Port of the command worker's health views."
    )
    ranking_port: int = Field(
        6067, ge=1, le=65535, description="Port of the ranking worker's table views."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of an edge's /metrics, at the workers' address; 0: none.",
    )
    data_dir: Path = Field(Path(".fairline"), description="Folder of the embedded services' data.")
    kafka_url: str = Field(
        "", description="host:port[,host:port] of a Kafka cluster; empty: embedded."
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="Of FAIRLINE_KAFKA_URL: with TLS, with SASL, with both or neither.",
    )
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How SASL proves that it knows the password."
    )
    kafka_username: str = Field("", description="Who we are for Kafka, with SASL.")
    kafka_password: SecretStr = Field(
        SecretStr(""), description="The password of FAIRLINE_KAFKA_USERNAME."
    )
    kafka_ca: str = Field(
        "",
        description="File of the authorities that Kafka's certificate is of; empty: the system's.",
    )
    ingress: str = Field(
        "",
        pattern=r"^([a-z0-9.-]{1,40}=[A-Za-z]+(,[A-Za-z]+)*( |$))*$",
        description="Services behind the gateway: name=Type,Type name=Type; each has a topic.",
    )
    gateway_port: int = Field(
        6068, ge=1, le=65535, description="Port of the gateway's health views."
    )
    database_url: str = Field(
        "", description="postgresql://... or sqlite:///file; empty: embedded SQLite."
    )
    redis_url: str = Field("", description="redis://...; empty: each process caches for itself.")
    kafka_port: int = Field(
        0, ge=0, le=65535, description="Port of the embedded Kafka; 0: a free one."
    )
    topic_prefix: str = Field(
        "", pattern=r"^[a-z0-9.-]{0,40}$", description="Put before every topic and group name."
    )
    partitions: int = Field(
        8, ge=1, le=1000, description="Partitions of each topic; fixed at creation."
    )
    replication: int = Field(
        1, ge=1, le=10, description="Replicas of each topic, when the topics are created."
    )
    edge_number: int = Field(
        0, ge=0, description="Tells edges apart: its remainder is the results partition."
    )
    worker_name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="Static group member id (KIP-345); empty: dynamic.",
    )
    wait_seconds: float = Field(
        5.0, gt=0, le=60, description="How long a request waits for its outcome."
    )
    drain_seconds: float = Field(
        1.0,
        ge=0,
        le=5,
        description="How long an edge that stops says so at /readyz and still serves.",
    )
    queue_seconds_max: float = Field(
        2.0, gt=0, le=600, description="Expected wait above which the edge says 429."
    )
    stream_clients_max: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Clients of each stream, the ranking's and that of results, per edge.",
    )
    requests_max: int = Field(
        5000, ge=1, le=100_000, description="Requests that an edge has in hand at once."
    )
    rate_limit: str = Field(
        "",
        description="Requests of one principal in a span, such as 100/10s (s, m, h); empty: any.",
    )
    balance_max: int = Field(
        10_000_000, ge=1, le=10**15, description="Highest balance of a user, in won."
    )
    order_expiry_seconds: int = Field(
        900, ge=1, le=604800, description="How long a created order can be paid."
    )
    batch_max: int = Field(
        500, ge=1, le=5000, description="Commands applied in one transaction at most."
    )
    session_timeout_seconds: float = Field(
        8.0, ge=6, le=300, description="Kafka session timeout of a worker."
    )
    retry_seconds_max: float = Field(
        15.0, gt=0, le=300, description="How long a worker retries the database before it leaves."
    )
    retention_days: int = Field(
        7, ge=1, le=365, description="Life of command records and idempotency keys."
    )
    dead_letters_in_a_row_max: int = Field(
        20, ge=1, le=1_000_000, description="More dead letters in a row raise the alarm."
    )
    dead_letters_percent_max: float = Field(
        10.0,
        gt=0,
        le=100,
        description="More dead letters than this in a minute's records raise the alarm.",
    )
    time_zone: str = Field(
        "Asia/Seoul", description="Zone of the daily ranking's midnight; whole hours only."
    )
    ranking_hours: int = Field(
        72,
        ge=1,
        le=720,
        description="Hours that the rankings sum, the current one included.",
    )
    tracing: bool = Field(
        False, description="Follow requests and batches with OpenTelemetry (extra: tracing)."
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level of log lines."
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            message = f"there is no zone {name!r}"
            raise ValueError(message) from error
        if any(_offset_minutes(zone, month) % 60 for month in (1, 7)):
            message = f"{name} is off the whole hour; the ranking counts whole hours"
            raise ValueError(message)
        return name

    @field_validator("rate_limit")
    @classmethod
    def _rate_limit_is_readable(cls, text: str) -> str:
        read_quota(text)
        return text

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the daily ranking."""
        return ZoneInfo(self.time_zone)

    @property
    def kafka(self) -> "KafkaAddress":
        """Kafka's address, and how it is entered."""
        from streams.kafka_access import KafkaAccess, KafkaAddress  # noqa: PLC0415

        access = KafkaAccess(
            self.kafka_security,
            self.kafka_mechanism,
            self.kafka_username,
            self.kafka_password.get_secret_value(),
            self.kafka_ca,
        )
        return KafkaAddress(self.kafka_url, access)

    @property
    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy's async drivers want it: asyncpg or aiosqlite."""
        url = self.database_url or f"sqlite:///{(self.data_dir / 'fairline.db').absolute()}"
        for plain, driven in (
            ("postgresql://", "postgresql+asyncpg://"),
            ("postgres://", "postgresql+asyncpg://"),
            ("sqlite://", "sqlite+aiosqlite://"),
        ):
            if url.startswith(plain):
                return driven + url.removeprefix(plain)
        return url


def _offset_minutes(zone: ZoneInfo, month: int) -> int:
    """Return a zone's offset in a month of this year: summer and winter may differ."""
    offset = datetime(datetime.now(UTC).year, month, 1, tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) // 60 if offset else 0
