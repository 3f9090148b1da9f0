"""What the step that provisions the bus reads from the environment."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from loopline_runtime.settings import Group, Nats


class Provision(Group):
    """How the bus is laid out, and the keys that must be known on it."""

    # Of each stream; 3 in a cluster.
    replicas: int = Field(default=1, ge=1)
    # Shrinks all byte limits, for a small disk.
    scale: float = Field(default=1.0, gt=0)
    # The key that services present to each other.
    service_key: SecretStr = SecretStr("")
    # A first key of the tenant `local`, with the right admin.
    admin_key: SecretStr = SecretStr("")


class ProvisionSettings(BaseSettings):
    """`NATS__URL`, `PROVISION__REPLICAS`, ...: one variable per leaf."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", frozen=True, extra="ignore")

    nats: Nats = Nats()
    provision: Provision = Provision()
