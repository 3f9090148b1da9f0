"""Rows into files that `reading` reads back to the same content."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from loopline_evaluation.datasets.rows import Row, content
from loopline_runtime.errors import Invalid

COLUMNS = ("id", "question", "references", "passages", "choices", "answerable", "tags", "metadata")


def written(rows: Sequence[Row], form: str) -> Iterator[bytes]:
    """The rows as csv, jsonl or parquet, in parts."""
    match form:
        case "jsonl":
            for row in rows:
                yield (json.dumps(content(row), ensure_ascii=False) + "\n").encode()
        case "csv":
            yield from _csv(rows)
        case "parquet":
            yield _parquet(rows)
        case _:
            raise Invalid(f"a dataset is exported as csv, jsonl or parquet, not {form[:40]!r}", field="format")


def _csv(rows: Sequence[Row]) -> Iterator[bytes]:
    for cells in (COLUMNS, *([_cell(content(row).get(name)) for name in COLUMNS] for row in rows)):
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        yield line.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    texts = arrow.list_(arrow.string())
    fields = {"id": arrow.string(), "question": arrow.string(), "references": texts, "choices": texts, "tags": texts}
    # Passages and metadata differ from row to row, so they are JSON, as in CSV.
    fields |= {"passages": arrow.string(), "metadata": arrow.string(), "answerable": arrow.bool_()}
    told = [content(row) for row in rows]
    columns = {
        name: [_cell(one.get(name)) or None if kind == arrow.string() else one.get(name) for one in told]
        for name, kind in fields.items()
    }
    sink = io.BytesIO()
    parquet.write_table(arrow.table(columns, schema=arrow.schema(list(fields.items()))), sink)
    return sink.getvalue()
