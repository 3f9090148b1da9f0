"""What this service talks about: texts, vectors, and exactly which model made them."""

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


def served(model: ModelId, name: str, revision: str) -> ModelId:
    """The model, or NotFound when another one is asked for."""
    if not model.answers_to(name, revision):
        raise NotFound(
            f"model {name} {revision} is not served here; {model.name} {model.revision} is", reason="UNKNOWN_MODEL"
        )
    return model
