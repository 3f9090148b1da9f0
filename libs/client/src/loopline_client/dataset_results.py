"""What `Loopline.datasets` gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A version, named by its content. `erased`: rows that went with their documents."""

    name: str
    number: int
    hash: str
    rows: int
    created_at: datetime
    note: str
    erased: int


@dataclass(frozen=True, slots=True)
class ReferencePassage:
    """Where an answer stands."""

    document_id: str
    source: str
    chunk_id: str
    text: str
    revision: int


@dataclass(frozen=True, slots=True)
class RowOrigin:
    """Where a row came from. `kind`: imported, answer, cloze or model."""

    kind: str
    detail: str
    synthetic: bool


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A question with what is known of its answer. `answerable` None: nobody said."""

    id: str
    question: str
    references: tuple[str, ...]
    passages: tuple[ReferencePassage, ...]
    choices: tuple[str, ...]
    answerable: bool | None
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    origin: RowOrigin


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that could not be read, counted from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """`version` None: nothing was imported; `unchanged`: this very version was there."""

    version: DatasetVersion | None
    unchanged: bool
    problems: tuple[LineProblem, ...]


@dataclass(frozen=True, slots=True)
class DatasetShown:
    """A version with its first rows, of so many that match."""

    version: DatasetVersion
    rows: tuple[DatasetRow, ...]
    matching: int


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """The same row in two versions, and which fields differ."""

    before: DatasetRow
    after: DatasetRow
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What two versions do not have in common, and how many rows they do."""

    before: DatasetVersion
    after: DatasetVersion
    added: tuple[DatasetRow, ...]
    removed: tuple[DatasetRow, ...]
    changed: tuple[ChangedRow, ...]
    same: int


@dataclass(frozen=True, slots=True)
class Generated:
    """How many questions were made, and by whom."""

    version: DatasetVersion
    made: int
    by: str


@dataclass(frozen=True, slots=True)
class AddedFromAnswers:
    """`version` None: nothing was new."""

    version: DatasetVersion | None
    added: int
    skipped: int
