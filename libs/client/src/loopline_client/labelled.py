"""Labelled questions in files: CSV with a header, or JSONL; `question`, and `document` (a source), `document_id` or `passage` (words in it)."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loopline_client.index_results import Question
from loopline_runtime.errors import Invalid

FIELDS = {"document": "sources", "source": "sources", "document_id": "document_ids", "passage": "passages"}


def questions_in(path: Path) -> list[Question]:
    """All questions; lines with the same question add up. Invalid names the line that is wrong."""
    found: dict[str, dict[str, list[str]]] = {}
    for line, row in _rows(path):
        question = str(row.get("question") or "").strip()
        labels = {name: _texts(row.get(name)) for name in FIELDS}
        if not question or not any(labels.values()):
            raise Invalid(
                f"{path}, line {line}: it needs a question and a document (its source), a document_id, or a passage",
                field="labelled",
            )
        known = found.setdefault(question, {})
        for name, texts in labels.items():
            known.setdefault(FIELDS[name], []).extend(texts)
    if not found:
        raise Invalid(f"{path} holds no question", field="labelled")
    return [
        Question(text, **{name: tuple(dict.fromkeys(all_)) for name, all_ in row.items()})
        for text, row in found.items()
    ]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}", field="labelled") from error
    if path.suffix.lower() == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        for row in reader:
            yield reader.line_num, row
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise Invalid(f"{path}, line {number}: no JSON: {error}", field="labelled") from error
            if not isinstance(row, dict):
                raise Invalid(f"{path}, line {number}: an object is expected", field="labelled")
            yield number, row


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one).strip() for one in values if one is not None and str(one).strip()]
