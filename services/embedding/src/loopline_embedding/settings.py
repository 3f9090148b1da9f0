"""What can be tuned without a build."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from loopline_runtime.settings import Group, ServiceSettings

Dimension = Annotated[int, Field(ge=1, lt=384)]


class Model(Group):
    """The model on disk. `threads` slices are worked at a time, one core each."""

    # A folder with model.safetensors and tokenizer.json of all-MiniLM-L6-v2.
    path: Path | None = None
    # Where the graph made from it is kept; made in seconds when it is not there.
    cache: Path | None = None
    threads: int = Field(default=2, ge=1)
    # Vectors cut to so many dimensions are served too, as models NAME-first-DIMENSIONS: less room, less meaning.
    shorter: tuple[Dimension, ...] = ()


class Tei(Group):
    """A Text Embeddings Inference server instead of the model on disk. MODEL__THREADS calls are under way at a time."""

    url: str = ""
    key: SecretStr = SecretStr("")
    timeout_s: float = 30.0


class Settings(ServiceSettings):
    """Everything; MODEL__PATH and MODEL__CACHE must be set, or TEI__URL."""

    model: Model = Model()
    tei: Tei = Tei()

    @model_validator(mode="after")
    def _some_model(self) -> Self:
        if not self.tei.url and not (self.model.path and self.model.cache):
            raise ValueError("set MODEL__PATH and MODEL__CACHE, or TEI__URL")
        return self
