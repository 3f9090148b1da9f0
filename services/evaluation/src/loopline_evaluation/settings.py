"""What can be tuned without a build."""

from loopline_runtime.settings import Group, ServiceSettings


class Targets(Group):
    """Where the others are: host:port."""

    embedding: str = "127.0.0.1:50052"
    timeout_s: float = 15.0


class Scores(Group):
    """Where answers and scores lie, and for how long."""

    url: str
    kept_days: float = 30.0


class Settings(ServiceSettings):
    """Everything; SCORES__URL must be set."""

    targets: Targets = Targets()
    scores: Scores
