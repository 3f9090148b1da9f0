"""What can be tuned without a build."""

from pathlib import Path

from pydantic import Field, SecretStr

from loopline_runtime.settings import Group, ServiceSettings


class Keeping(Group):
    """Where windows, baselines and alarms lie, as a SQLAlchemy address."""

    url: SecretStr
    # State is written at least so often; what was read since is read again after a kill.
    every_s: float = Field(default=1.0, gt=0)
    # Closed windows are kept so long, for baselines from a period and for reports.
    kept_days: float = Field(default=30.0, gt=0)


class Targets(Group):
    """Where canaries are asked: host:port. Only called when the policy has canaries."""

    generation: str = "127.0.0.1:50054"
    embedding: str = "127.0.0.1:50052"
    timeout_s: float = 60.0


class Watch(Group):
    """The operator's policy, a TOML file; empty: the default one."""

    policy: Path | None = None


class Settings(ServiceSettings):
    """Everything; STATE__URL must be set."""

    state: Keeping
    watch: Watch = Watch()
    targets: Targets = Targets()
