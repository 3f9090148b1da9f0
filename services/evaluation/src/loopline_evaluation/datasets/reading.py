"""Files into rows. What is wrong is told by line number, and leaves the other rows alone.

Columns, by any of their names: id | row_id | qid; question | query | input | user_input; reference | references | answer | answers |
expected | ground_truth; passages | passage | contexts | context | reference_contexts; document; choices; answerable; tags | tag. `metadata`
(an object) and every other column are metadata.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loopline_evaluation.datasets.rows import MOST_TEXT, Origin, Reference, Row, derived_id
from loopline_runtime.errors import Invalid

_NAMES = {
    "id": ("id", "row_id", "qid"),
    "question": ("question", "query", "input", "user_input"),
    "references": ("references", "reference", "answers", "answer", "expected", "ground_truth"),
    "passages": ("passages", "passage", "contexts", "context", "reference_contexts"),
    "document": ("document", "document_id"),
    "choices": ("choices",),
    "answerable": ("answerable",),
    "tags": ("tags", "tag"),
    "metadata": ("metadata",),
}
_KNOWN = {name for names in _NAMES.values() for name in names}
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_PASSAGE = {
    "document": "document",
    "document_id": "document",
    "source": "source",
    "chunk": "chunk",
    "chunk_id": "chunk",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line (from 1; of Parquet: the row)."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


class Malformed(ValueError):
    """A line that is no row; the message is for its author."""


Record = tuple[int, Mapping[str, Any] | Malformed]


def read(data: bytes, form: str, name: str = "") -> Reading:
    """The rows of a file. `form` is one of FORMATS; `name` goes into the origin of each row. Invalid: a file that is not of this form at all."""
    if form not in FORMATS:
        raise Invalid(f"a format is one of {', '.join(FORMATS)}, not {form[:40]!r}", field="format")
    rows: list[Row] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for line, record in FORMATS[form](data):
        try:
            if isinstance(record, Malformed):
                raise record
            row = replace(_row(record), origin=Origin("imported", f"{name}:{line}" if name else f"line {line}"))
            if row.id in lines:
                raise Malformed(f"the id {row.id!r} stands in line {lines[row.id]} already")
        except Malformed as error:
            problems.append(Problem(line, str(error)))
            continue
        lines[row.id] = line
        rows.append(row)
    return Reading(tuple(rows), tuple(problems))


def _row(record: Mapping[str, Any]) -> Row:
    known = {name: _first(record, names) for name, names in _NAMES.items()}
    question = _text(known["question"], "question")
    if not question:
        raise Malformed("the question is missing or blank")
    passages = tuple(_reference(passage) for passage in _list(known["passages"], "passages"))
    if document := _text(known["document"], "document"):
        passages = tuple(replace(one, document=one.document or document) for one in passages) or (Reference(document),)
    choices = _texts(known["choices"], "choices")
    references = _texts(known["references"], "reference")
    if choices and not set(references) & set(choices):
        raise Malformed("the reference answer is none of the choices")
    return Row(
        _text(known["id"], "id") or derived_id(question, passages),
        question,
        references,
        passages,
        choices,
        _bool(known["answerable"]),
        tuple(dict.fromkeys(_texts(known["tags"], "tags", separator=";"))),
        _metadata(record, known["metadata"]),
    )


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if not _missing(record.get(name))), None)


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _text(value: Any, what: str) -> str:
    if _missing(value):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed(f"{what} is {value}, which is no value")
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str):
        raise Malformed(f"{what} is {type(value).__name__}, not text")
    if len(value) > MOST_TEXT:
        raise Malformed(f"{what} has {len(value)} characters; at most {MOST_TEXT}")
    if "\x00" in value:
        raise Malformed(f"{what} holds a null character")
    return value.strip()


def _list(value: Any, what: str, separator: str = "") -> list[Any]:
    """A list as it is, a cell that holds one as JSON, or one value; with a separator, the parts of a text."""
    if _missing(value):
        return []
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            if value.lstrip().startswith("{"):
                raise Malformed(f"{what} looks like JSON and is not: {error}") from error
    if isinstance(value, str) and separator:
        return [part for part in value.split(separator) if part.strip()]
    return [one for one in value if not _missing(one)] if isinstance(value, list | tuple) else [value]


def _texts(value: Any, what: str, separator: str = "") -> tuple[str, ...]:
    return tuple(filter(None, (_text(one, what) for one in _list(value, what, separator))))


def _reference(value: Any) -> Reference:
    if not isinstance(value, Mapping):
        return Reference(text=_text(value, "passage"))
    told = {place: _text(value[name], f"passage {name}") for name, place in _PASSAGE.items() if name in value}
    revision = value.get("revision") or 0
    if not isinstance(revision, int):
        raise Malformed("a passage's revision is a whole number")
    found = Reference(text=_text(value.get("text"), "passage text"), revision=revision, **told)
    if found == Reference():
        raise Malformed("a passage names neither document, source, chunk nor text")
    return found


def _bool(value: Any) -> bool | None:
    if _missing(value) or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    word = str(value).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise Malformed(f"answerable is true or false, not {word[:20]!r}")
    return word in _TRUE


def _metadata(record: Mapping[str, Any], own: Any) -> dict[str, str]:
    if isinstance(own, str):
        try:
            own = json.loads(own)
        except json.JSONDecodeError as error:
            raise Malformed(f"metadata is not JSON: {error}") from error
    if own is not None and not isinstance(own, Mapping):
        raise Malformed("metadata is an object")
    others = {name: value for name, value in record.items() if name not in _KNOWN and name}
    told = {**others, **(own or {})}
    return {str(key): _text(value, f"metadata {key}") for key, value in told.items() if not _missing(value)}


def _decoded(data: bytes) -> Iterator[tuple[int, str | Malformed]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            yield number, Malformed(f"not UTF-8 at byte {error.start + 1}")


def _jsonl(data: bytes) -> Iterator[Record]:
    for number, line in _decoded(data):
        if isinstance(line, Malformed):
            yield number, line
        elif line.strip():
            yield number, _json(line)


def _json(line: str) -> Mapping[str, Any] | Malformed:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        return Malformed(f"not JSON: {error}")
    return record if isinstance(record, dict) else Malformed("a line is a JSON object")


def _csv(data: bytes) -> Iterator[Record]:
    cells = _cells(data)
    header = next(cells, None)
    if header is None:
        return
    names = [] if isinstance(header[1], Malformed) else [name.strip() for name in header[1]]
    if not set(names) & set(_NAMES["question"]):
        wanted = " | ".join(_NAMES["question"])
        raise Invalid(f"the first line names the columns, one of them {wanted}; it is {','.join(names)[:200]!r}")
    for line, record in cells:
        if isinstance(record, Malformed):
            yield line, record
        elif len(record) != len(names):
            yield line, Malformed(f"{len(record)} cells, and {len(names)} columns")
        else:
            yield line, dict(zip(names, record, strict=True))


def _cells(data: bytes) -> Iterator[tuple[int, list[str] | Malformed]]:
    """Records with the line each begins at; one that is not UTF-8 is malformed, the others are read."""
    text = data.decode("utf-8-sig", errors="surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Malformed(str(error))
            continue
        if any("\udc80" <= letter <= "\udcff" for cell in record for letter in cell):
            yield line, Malformed("not UTF-8")
        elif record:
            yield line, record


def _parquet(data: bytes) -> Iterator[Record]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(data))
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise Invalid(f"this is no Parquet file: {error}", field="format") from error
    if not set(table.column_names) & set(_NAMES["question"]):
        raise Invalid(f"no column {' | '.join(_NAMES['question'])}; there are {', '.join(table.column_names)[:200]}")
    yield from enumerate(table.to_pylist(), 1)


def _squad(data: bytes) -> Iterator[Record]:
    """SQuAD 1.1 and 2.0, XQuAD: one JSON object; line is the number of the question."""
    number = 0
    try:
        for article in json.loads(data)["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    number += 1
                    impossible = bool(asked.get("is_impossible", False))
                    answers = list(dict.fromkeys(answer["text"] for answer in asked.get("answers", ())))
                    row = {"id": asked["id"], "question": asked["question"], "references": answers}
                    title = {"title": article["title"]} if article.get("title") else {}
                    passage = {"passages": [{"text": paragraph["context"]}], "answerable": not impossible}
                    yield number, {**row, **passage, "metadata": title}
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Invalid(f"this is no SQuAD file (after question {number}): {error!r}", field="format") from error


def _mmlu(data: bytes) -> Iterator[Record]:
    """MMLU: CSV without a header; question, four choices, the letter of the right one."""
    for line, record in _cells(data):
        if isinstance(record, Malformed):
            yield line, record
        elif len(record) != 6 or record[5].strip() not in ("A", "B", "C", "D"):
            yield line, Malformed("a line is question, four choices and A, B, C or D")
        else:
            right = record[1 + "ABCD".index(record[5].strip())]
            yield line, {"question": record[0], "choices": record[1:5], "references": [right]}


def _hellaswag(data: bytes) -> Iterator[Record]:
    """HellaSwag: JSON lines; ctx, four endings, the number of the right one."""
    for line, record in _jsonl(data):
        if isinstance(record, Malformed):
            yield line, record
            continue
        try:
            endings = record["endings"]
            right = endings[int(record["label"])]
            activity = {"activity": record["activity_label"]} if record.get("activity_label") else {}
            row = {"id": f"hellaswag-{record['ind']}" if "ind" in record else None, "question": record["ctx"]}
            yield (
                line,
                {**row, "choices": endings, "references": [right], "metadata": {**activity, "kind": "completion"}},
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            yield line, Malformed(f"a line has ctx, endings and label: {error!r}")


FORMATS: dict[str, Callable[[bytes], Iterator[Record]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "squad": _squad,
    "mmlu": _mmlu,
    "hellaswag": _hellaswag,
}
