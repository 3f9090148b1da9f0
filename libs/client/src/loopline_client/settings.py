"""Where the line is and who we are: from the environment, else from what `loopline up` wrote."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loopline_runtime.errors import Invalid, Unavailable
from loopline_runtime.tls import Tls

NO_LINE = "no line is known here: run `loopline up`, or set LOOPLINE_KEY and LOOPLINE_INGESTION, LOOPLINE_RETRIEVAL, LOOPLINE_GENERATION"


class Profile(BaseModel):
    """Addresses (host:port), a key, the bus. `pids` and `metrics` only of a local line."""

    model_config = ConfigDict(frozen=True)

    key: str = ""
    nats_url: str = ""
    # A credentials file for the bus.
    nats_credentials: Path | None = None
    # Doors and bus that speak TLS: who is trusted, and what we show to those who ask (mTLS).
    tls: Tls = Tls()
    targets: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, int] = Field(default_factory=dict)
    pids: dict[str, int] = Field(default_factory=dict)


class ClientSettings(BaseSettings):
    """LOOPLINE_HOME, LOOPLINE_KEY, ...: what is set here overrides the profile in the home folder."""

    model_config = SettingsConfigDict(env_prefix="LOOPLINE_", frozen=True, extra="ignore")

    home: Path = Path.home() / ".loopline"
    key: str = ""
    nats_url: str = ""
    nats_credentials: Path | None = None
    # PEM files; a certificate and its key where callers must show one (mTLS).
    ca: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    ingestion: str = ""
    embedding: str = ""
    retrieval: str = ""
    generation: str = ""
    evaluation: str = ""
    monitoring: str = ""

    @property
    def profile_path(self) -> Path:
        """What `loopline up` writes and `loopline down` removes."""
        return self.home / "line.json"

    def profile(self) -> Profile:
        """The line to talk to. Unavailable when none is known."""
        written: dict[str, Any] = {}
        if self.profile_path.exists():
            try:
                written = Profile.model_validate(json.loads(self.profile_path.read_text())).model_dump()
            except (ValidationError, json.JSONDecodeError) as error:
                raise Unavailable(
                    f"{self.profile_path} is unreadable: {error}; run `loopline down` and `up`"
                ) from error
        services = ("ingestion", "embedding", "retrieval", "generation", "evaluation", "monitoring")
        own = {name: getattr(self, name) for name in services}
        targets = {**written.get("targets", {}), **{name: target for name, target in own.items() if target}}
        if not targets and not self.nats_url:  # a downstream team knows the bus and nothing else
            raise Unavailable(NO_LINE, reason="NO_LINE")
        named = ("key", "nats_url", "nats_credentials")
        overrides = {name: own_value for name in named if (own_value := getattr(self, name))}
        files = {"ca": self.ca, "certificate": self.certificate, "key": self.certificate_key}
        tls = {**written.get("tls", {}), **{name: file for name, file in files.items() if file}}
        try:
            return Profile(**{**written, **overrides, "targets": targets, "tls": Tls(**tls)})
        except ValidationError as error:
            raise Invalid(
                "LOOPLINE_CERTIFICATE and LOOPLINE_CERTIFICATE_KEY go together", field="LOOPLINE_CERTIFICATE"
            ) from error
