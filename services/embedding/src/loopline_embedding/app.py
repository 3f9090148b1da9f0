"""What this service does: it turns text into vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopline_embedding.model import ModelId, Vector, checked, cut, served, shortened
from loopline_embedding.ports import Embedder
from loopline_embedding.turns import Turns


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of their texts, and the model that made them."""

    model: ModelId
    vectors: list[Vector]


class Embedding:
    """Questions at once, batches in slices between them. `shorter`: dimensions that are served too, as models of their own."""

    def __init__(self, embedder: Embedder, turns: Turns, shorter: Sequence[int] = ()) -> None:
        self._turns = turns
        self._models = (embedder.model, *(shortened(embedder.model, dimension) for dimension in shorter))

    async def of_question(self, text: str, model: str = "", revision: str = "") -> Embedded:
        """The vector of one question, before all batches. Invalid when blank; NotFound for another model."""
        which = served(self._models, model, revision)
        checked([text])
        return self._as(which, [await self._turns.question(text)])

    async def of_texts(
        self, texts: Sequence[str], model: str = "", revision: str = "", *, tenant: str = "", build: bool = False
    ) -> Embedded:
        """One vector per text. Invalid for blank or too many texts; NotFound for another model. A build gives way to all else."""
        which = served(self._models, model, revision)
        return self._as(which, await self._turns.batch(checked(texts), tenant=tenant, build=build))

    async def ready(self) -> None:
        """Passes when the model answers."""
        await self._turns.question("ready")

    def _as(self, which: ModelId, vectors: list[Vector]) -> Embedded:
        if which is self._models[0]:
            return Embedded(which, vectors)
        return Embedded(which, [cut(vector, which.dimension) for vector in vectors])
