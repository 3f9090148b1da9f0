"""Which rows: `tag=refund`, `language!=de`, `id=...`, `synthetic=true`, `answerable=false`, or any key of the metadata."""

import re
from collections.abc import Sequence

from loopline_evaluation.datasets.rows import Row
from loopline_runtime.errors import Invalid

_CONDITION = re.compile(r"\s*([\w.-]+)\s*(!=|=)\s*(.*?)\s*", re.DOTALL)


def chosen(rows: Sequence[Row], conditions: Sequence[str]) -> list[Row]:
    """The rows for which all conditions hold. Invalid names a condition that cannot be read."""
    read = [_read(condition) for condition in conditions]
    return [row for row in rows if all((value in values_of(row, key)) == same for key, same, value in read)]


def values_of(row: Row, key: str) -> tuple[str, ...]:
    """What a row has under a key: all its tags, or the one value; none where it has nothing."""
    match key:
        case "tag":
            return row.tags
        case "id":
            return (row.id,)
        case "synthetic":
            return (str(row.origin.synthetic).lower(),)
        case "answerable":
            return () if row.answerable is None else (str(row.answerable).lower(),)
        case _:
            return (row.metadata[key],) if key in row.metadata else ()


def slices(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, frozenset[str]]:
    """The ids of the rows of each slice, by `key=value`, in the order of keys and values."""
    found: dict[str, set[str]] = {}
    for key in keys:
        for value in sorted({value for row in rows for value in values_of(row, key)}):
            found[f"{key}={value}"] = {row.id for row in rows if value in values_of(row, key)}
    return {name: frozenset(ids) for name, ids in found.items()}


def _read(condition: str) -> tuple[str, bool, str]:
    match = _CONDITION.fullmatch(condition)
    if not match:
        raise Invalid(f"a condition is key=value or key!=value, not {condition[:80]!r}", field="where")
    return match[1], match[2] == "=", match[3]
