"""Stand-ins for tests."""

from collections.abc import Sequence

import numpy as np

from loopline_runtime.errors import Unavailable

DIMENSION = 64


class FakeEmbedder:
    """Vectors of words: texts with words in common are near. `away`: it does not answer."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        """See the port."""
        if self.away:
            raise Unavailable("the embedding service is away")
        self.asked += texts
        return [_vector(text) for text in texts]


def _vector(text: str) -> bytes:
    made = np.zeros(DIMENSION, "<f4")
    for word in text.lower().split():
        made[sum(word.encode()) % DIMENSION] += 1
    return bytes((made / max(float(np.linalg.norm(made)), 1e-9)).astype("<f4").tobytes())
