"""A model for unit tests: a text's vector says how long it is."""

import struct
import time
from collections.abc import Sequence

from loopline_embedding.model import ModelId, Vector


class FakeEmbedder:
    """Takes `seconds` a text; remembers what it was given; fails with `fails` when that is set."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.seen: list[list[str]] = []
        self.fails: Exception | None = None

    @property
    def model(self) -> ModelId:
        """A tiny one."""
        return ModelId("fake", "r1", 2)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """[length, 1] of each text."""
        self.seen.append(list(texts))
        time.sleep(self.seconds * len(texts))
        if self.fails:
            raise self.fails
        return [struct.pack("<2f", len(text), 1) for text in texts]
