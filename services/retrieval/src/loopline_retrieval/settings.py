"""What can be tuned without a build."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from loopline_runtime.settings import Group, ServiceSettings


class Index(Group):
    """Where passages lie: in the embedded store (one process) or in Weaviate (any number of replicas)."""

    store: Literal["embedded", "weaviate"] = "embedded"
    # The embedded store's folder, on a disk that keeps what it acknowledged.
    path: Path | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Index":
        if self.store == "embedded" and self.path is None:
            raise ValueError("INDEX__PATH must be set for the embedded store")
        return self


class Weaviate(Group):
    """A Weaviate server; two ports, HTTP and gRPC."""

    host: str = "127.0.0.1"
    port: int = 8080
    # Empty: the same host.
    grpc_host: str = ""
    grpc_port: int = 50051
    secure: bool = False
    key: SecretStr = SecretStr("")
    # Its collections begin so; letters only.
    prefix: str = Field(default="Loopline", pattern=r"^[A-Z][A-Za-z0-9]*$")
    # Copies of each object, and with more than one, a majority for each read and write.
    replicas: int = Field(default=1, ge=1)
    timeout_s: float = 5.0
    write_timeout_s: float = 30.0


class Embedding(Group):
    """Where questions are embedded: host:port."""

    target: str = "127.0.0.1:50052"
    timeout_s: float = 10.0


class Search(Group):
    """`rerank`: sentences puts the passage with the best sentence first, at the price of embedding the sentences of the ten best."""

    rerank: Literal["off", "sentences"] = "off"


class Settings(ServiceSettings):
    """Everything; INDEX__PATH or INDEX__STORE must be set."""

    index: Index
    weaviate: Weaviate = Weaviate()
    embedding: Embedding = Embedding()
    search: Search = Search()
