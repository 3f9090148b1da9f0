"""A row, and a version of a dataset. Both are named by their content: the same rows are the same version, wherever they came from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loopline_runtime.errors import Invalid

MOST_ROWS, MOST_TEXT, MOST_NAME = 100_000, 32_768, 64
NAME = r"[a-z0-9][a-z0-9_-]{0,63}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A passage that answers the question: a chunk, a document (by id or source), a text, or several of these. `revision` 0: not known."""

    document: str = ""
    source: str = ""
    chunk: str = ""
    text: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row came from. `kind`: imported, answer or generated; `detail`: file and line, answer id, or the model that wrote it."""

    kind: str = "imported"
    detail: str = ""
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A question and what is known of its answer.

    `references`: accepted answers, the first is the best; of multiple choice the right one's text. `answerable` None: not known.
    The origin is no part of the content.
    """

    id: str
    question: str
    references: tuple[str, ...] = ()
    passages: tuple[Reference, ...] = ()
    choices: tuple[str, ...] = ()
    answerable: bool | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default=Origin(), compare=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the content, 32 hex digits."""
        return digest(content(self))

    @property
    def documents(self) -> frozenset[str]:
        """The documents it was made from or refers to."""
        return frozenset(passage.document for passage in self.passages if passage.document)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a dataset. `number` counts from 1; `hash` names the content; `erased`: rows that had to go since.

    `created_at`: seconds since 1970. `note`: what it was made from.
    """

    name: str
    number: int
    hash: str
    rows: int
    created_at: float
    note: str = ""
    erased: int = 0


def content(row: Row) -> dict[str, Any]:
    """What makes a row what it is, without what is empty; `row_of` reads it."""
    passages = [
        {name: value for name in Reference.__slots__ if (value := getattr(passage, name))} for passage in row.passages
    ]
    told: dict[str, Any] = {
        "id": row.id,
        "question": row.question,
        "references": list(row.references),
        "passages": passages,
        "choices": list(row.choices),
        "tags": sorted(row.tags),
        "metadata": dict(sorted(row.metadata.items())),
    }
    known = {name: value for name, value in told.items() if value}
    return known if row.answerable is None else {**known, "answerable": row.answerable}


def row_of(told: Mapping[str, Any], origin: Origin) -> Row:
    """The row whose `content` this is."""
    return Row(
        told["id"],
        told["question"],
        tuple(told.get("references", ())),
        tuple(Reference(**passage) for passage in told.get("passages", ())),
        tuple(told.get("choices", ())),
        told.get("answerable"),
        tuple(told.get("tags", ())),
        told.get("metadata", {}),
        origin,
    )


def digest(value: object) -> str:
    """SHA-256 of canonical JSON, 32 hex digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def version_hash(rows: Sequence[Row]) -> str:
    """The name of a set of rows, whatever their order."""
    return digest(sorted(row.hash for row in rows))


def derived_id(question: str, passages: Sequence[Reference]) -> str:
    """The id of a row that came without one: the same question about the same passages is the same row."""
    return digest([question, [(one.document, one.source, one.chunk, one.text) for one in passages]])[:16]


def checked(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows, or Invalid: a dataset has at least one row, not too many, and each id once."""
    if not rows:
        raise Invalid("a dataset needs at least one row; there is none", reason="EMPTY_DATASET", field="rows")
    if len(rows) > MOST_ROWS:
        raise Invalid(f"{len(rows)} rows; at most {MOST_ROWS}", field="rows")
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise Invalid(f"the id {row.id!r} is there twice", reason="DUPLICATE_ID", field="rows")
        seen.add(row.id)
    return rows
