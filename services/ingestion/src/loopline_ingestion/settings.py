"""What can be tuned without a build."""

from pathlib import Path

from pydantic import Field

from loopline_ingestion.model import Model, Plan
from loopline_runtime.settings import Group, ServiceSettings

FIRST = Model()


class Ledger(Group):
    """The read model; SQLite for one process, PostgreSQL for several: sqlite:///path or postgresql://user@host/database"""

    url: str


class Extraction(Group):
    """Limits of one document, in the worker's child."""

    # tokenizer.json of the embedding model.
    tokenizer: Path
    seconds: float = 60.0
    memory_mb: int = 1536
    # Extracted text beyond this is rejected with the figure.
    most_characters: int = 5_000_000
    at_once: int = Field(default=2, ge=1)


class Embedding(Group):
    """The model that a new collection's plan names, exactly as the embedding service serves it."""

    model: str = FIRST.name
    revision: str = FIRST.revision
    dimension: int = Field(default=FIRST.dimension, ge=1)

    @property
    def plan(self) -> Plan:
        """A new collection's."""
        return Plan(model=Model(self.model, self.revision, self.dimension))


class Uploads(Group):
    """What a caller may send."""

    most_bytes: int = 100 * 1024 * 1024


class Remake(Group):
    """When batches that were lost are made again."""

    # Nothing moved for this long and no batch is left in the stream.
    lost_after_s: float = 60.0
    # Not indexed for half the life of a batch, whatever the stream holds.
    aged_after_s: float = 43_200.0
    every_s: float = 5.0


class Build(Group):
    """Builds of index versions."""

    # Batches of one build under way; fewer than the embedding service has hands, so that live documents always find one free.
    in_flight: int = Field(default=2, ge=1)
    # Documents said to a build that did not arrive, and are on no way any more, are made again after this long.
    lost_after_s: float = 60.0


class Tenants(Group):
    """What one tenant may have under way, so that others never wait long behind it."""

    # Documents between acceptance and the index; of each, one batch at a time.
    at_once: int = Field(default=2, ge=1)
    # A batch that has not arrived after this long is waited for no more.
    lost_after_s: float = 60.0


class Erasure(Group):
    """Documents that must leave no trace."""

    # Orders are kept here too, for the day when everything else is restored; keep it apart from what is. Empty: nowhere.
    journal: Path | None = None


class Settings(ServiceSettings):
    """Everything; LEDGER__URL and EXTRACTION__TOKENIZER must be set."""

    ledger: Ledger
    extraction: Extraction
    embedding: Embedding = Embedding()
    uploads: Uploads = Uploads()
    remake: Remake = Remake()
    build: Build = Build()
    tenants: Tenants = Tenants()
    erasure: Erasure = Erasure()
