"""What this service talks about: texts, vectors, and exactly which model made them."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from loopline_runtime.errors import Invalid, NotFound

MOST_TEXTS = 256
MOST_CHARACTERS = 32_768

# Little-endian float32, as many as the model's dimension, length 1.
Vector = bytes


@dataclass(frozen=True, slots=True)
class ModelId:
    """An embedding model, exactly. Vectors of two revisions are never mixed in one index."""

    name: str
    revision: str
    dimension: int

    def answers_to(self, name: str, revision: str) -> bool:
        """Whether this is the model somebody asks for; what is left out is not asked."""
        return name in ("", self.name) and revision in ("", self.revision)


def checked(texts: Sequence[str]) -> Sequence[str]:
    """The texts, or Invalid: blank ones have no meaning, very long ones would be cut silently."""
    if len(texts) > MOST_TEXTS:
        raise Invalid(f"{len(texts)} texts in one call; at most {MOST_TEXTS} are embedded at once", field="texts")
    for place, text in enumerate(texts):
        if not text.strip():
            raise Invalid(f"text {place} is blank", reason="BLANK", field="texts")
        if len(text) > MOST_CHARACTERS:
            raise Invalid(f"text {place} has {len(text)} characters; at most {MOST_CHARACTERS}", field="texts")
    return texts


def shortened(model: ModelId, dimension: int) -> ModelId:
    """The model whose vectors are the first numbers of another one's, made length 1 again: less room, less meaning."""
    return ModelId(f"{model.name}-first-{dimension}", model.revision, dimension)


def cut(vector: Vector, dimension: int) -> Vector:
    """The first numbers of a vector, made length 1 again."""
    kept = struct.unpack(f"<{dimension}f", vector[: 4 * dimension])
    length = math.hypot(*kept) or 1.0
    return struct.pack(f"<{dimension}f", *(number / length for number in kept))


def served(models: Sequence[ModelId], name: str, revision: str) -> ModelId:
    """The model that is asked for, the first one when none is named, or NotFound."""
    for model in models:
        if model.answers_to(name, revision):
            return model
    known = ", ".join(f"{model.name} {model.revision}" for model in models)
    raise NotFound(f"model {name} {revision} is not served here; served: {known}", reason="UNKNOWN_MODEL")
