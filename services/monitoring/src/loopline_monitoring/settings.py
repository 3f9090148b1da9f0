"""What can be tuned without a build."""

from pydantic import SecretStr

from loopline_runtime.settings import Group, ServiceSettings


class Keeping(Group):
    """Where windows, baselines and alarms lie, as a SQLAlchemy address."""

    url: SecretStr
    # State is written at least so often; what was read since is read again after a kill.
    every_s: float = 1.0


class Settings(ServiceSettings):
    """Everything; STATE__URL must be set."""

    state: Keeping
