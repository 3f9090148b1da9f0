"""What can be tuned without a build."""

from pathlib import Path

from pydantic import Field

from loopline_runtime.settings import Group, ServiceSettings


class Model(Group):
    """The model on disk. `threads` slices are worked at a time, one core each."""

    # A folder with model.safetensors and tokenizer.json of all-MiniLM-L6-v2.
    path: Path
    # Where the graph made from it is kept; made in seconds when it is not there.
    cache: Path
    threads: int = Field(default=2, ge=1)


class Settings(ServiceSettings):
    """Everything; MODEL__PATH and MODEL__CACHE must be set."""

    model: Model
