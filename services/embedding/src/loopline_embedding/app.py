"""What this service does: it turns text into vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopline_embedding.model import ModelId, Vector, checked, served
from loopline_embedding.ports import Embedder
from loopline_embedding.turns import Turns


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of their texts, and the model that made them."""

    model: ModelId
    vectors: list[Vector]


class Embedding:
    """Questions at once, batches in slices between them."""

    def __init__(self, embedder: Embedder, turns: Turns) -> None:
        self._embedder = embedder
        self._turns = turns

    async def of_question(self, text: str, model: str = "", revision: str = "") -> Embedded:
        """The vector of one question, before all batches. Invalid when blank; NotFound for another model."""
        which = served(self._embedder.model, model, revision)
        checked([text])
        return Embedded(which, [await self._turns.question(text)])

    async def of_texts(self, texts: Sequence[str], model: str = "", revision: str = "") -> Embedded:
        """One vector per text. Invalid for blank or too many texts; NotFound for another model."""
        which = served(self._embedder.model, model, revision)
        return Embedded(which, await self._turns.batch(checked(texts)))

    async def ready(self) -> None:
        """Passes when the model answers."""
        await self._turns.question("ready")
