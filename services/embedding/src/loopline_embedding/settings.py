"""What can be tuned without a build."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from loopline_runtime.settings import Group, ServiceSettings

Dimension = Annotated[int, Field(ge=1, lt=384)]


class Model(Group):
    """The model on disk. `threads` slices are worked at a time, one core each."""

    # A folder with model.safetensors and tokenizer.json of all-MiniLM-L6-v2.
    path: Path
    # Where the graph made from it is kept; made in seconds when it is not there.
    cache: Path
    threads: int = Field(default=2, ge=1)
    # Vectors cut to so many dimensions are served too, as models NAME-first-DIMENSIONS: less room, less meaning.
    shorter: tuple[Dimension, ...] = ()


class Settings(ServiceSettings):
    """Everything; MODEL__PATH and MODEL__CACHE must be set."""

    model: Model
