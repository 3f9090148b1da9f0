"""What this service needs from the world."""

from collections.abc import Sequence
from typing import Protocol

from loopline_embedding.model import ModelId, Vector


class Embedder(Protocol):
    """A model, loaded. Called from threads, several at a time."""

    @property
    def model(self) -> ModelId:
        """Which one."""
        ...

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector per text, in order. Blocks; what is longer than the model reads is cut at its end."""
        ...
