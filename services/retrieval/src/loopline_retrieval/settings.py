"""What can be tuned without a build."""

from pathlib import Path

from loopline_runtime.settings import Group, ServiceSettings


class Index(Group):
    """The embedded store."""

    # A folder of its own, on a disk that keeps what it acknowledged.
    path: Path


class Embedding(Group):
    """Where questions are embedded: host:port."""

    target: str = "127.0.0.1:50052"
    timeout_s: float = 10.0


class Settings(ServiceSettings):
    """Everything; INDEX__PATH must be set."""

    index: Index
    embedding: Embedding = Embedding()
