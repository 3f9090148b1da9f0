"""Settings are read once, in main, and never change."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from loopline_runtime.tls import Tls


class Group(BaseModel):
    """A group of settings: `NATS__URL` is the field `url` of the group `nats`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nats(Group):
    """Where the bus is. Times in seconds."""

    url: str = "nats://127.0.0.1:4222"
    # A service waits for the bus for ever (0); a command gives up.
    connect_s: float = 0.0
    publish_timeout_s: float = 5.0
    # A fetch waits this long for messages; liveness fails when a loop's last fetch is three times as old.
    fetch_s: float = 5.0
    # A credentials file (token and seed); read again at each reconnection.
    credentials: Path | None = None
    # NATS__TLS__CA, NATS__TLS__CERTIFICATE, NATS__TLS__KEY
    tls: Tls = Tls()


class Grpc(Group):
    """The door. Beyond loopback it opens only when access is by keys."""

    host: str = "127.0.0.1"
    port: int = 50051
    # A second port without TLS for grpc.health.v1 alone: kubelets' gRPC probes speak none. 0: there is none.
    health_port: int = 0
    grace_s: float = 10.0
    # Calls in flight: in all, and of one tenant; the rest is refused at once.
    at_once: int = Field(default=256, gt=0)
    at_once_per_tenant: int = Field(default=128, gt=0)
    max_message_bytes: int = 4 * 1024 * 1024
    # Deadline given to unary calls that come without one.
    default_deadline_s: float = 30.0
    # GRPC__TLS__CERTIFICATE and GRPC__TLS__KEY: what the door shows; GRPC__TLS__CA: callers must show one signed by it.
    tls: Tls = Tls()


class Access(Group):
    """`keys`: callers present API keys; `open`: everybody is the tenant `local` (loopback only)."""

    mode: str = Field(default="keys", pattern="^(keys|open)$")
    # This service's own key, for calls to other services; needs the right act-for.
    key: SecretStr = SecretStr("")


class Telemetry(Group):
    """Logs, metrics, traces. Port 0 means any free port."""

    log_level: str = "INFO"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    # For example http://collector:4318 ; empty: traces are made and propagated, but exported nowhere.
    otlp_endpoint: str = ""


class ServiceSettings(BaseSettings):
    """`NATS__URL`, `GRPC__PORT`, ... : one variable per leaf."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", frozen=True, extra="ignore")

    nats: Nats = Nats()
    grpc: Grpc = Grpc()
    # How other services are called: PEERS__CA, and for mTLS PEERS__CERTIFICATE and PEERS__KEY.
    peers: Tls = Tls()
    access: Access = Access()
    telemetry: Telemetry = Telemetry()
