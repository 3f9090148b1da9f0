"""Two CSV files as columns that can be compared, whatever is in them."""

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection import Kind
from loopline_runtime.errors import Invalid

_Numbers = NDArray[np.float64]
MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity"})
# A column is of numbers when so many of its values are; the others are odd.
_NUMERIC: Final = 0.9
# More different values than this share of all: texts, of which only the length is compared.
_TEXTS: Final = 0.5
_FEWEST_TEXTS: Final = 50


@dataclass(frozen=True, slots=True)
class Column:
    """One column without what is missing or odd; numbers in the order of the rows."""

    kind: Kind
    numbers: _Numbers
    # How often each name came.
    names: Counter[str]
    rows: int
    missing: int
    odd: int
    # Numbers that are lengths of texts.
    lengths: bool = False


Table = dict[str, list[str]]


def read(path: Path) -> Table:
    """The columns of a CSV file as written. Invalid: not there, no text, no header, a header twice, or nothing else."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", field="path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path} is no CSV file in UTF-8: {error}", field="path") from error
    if not rows or not any(rows[0]):
        raise Invalid(f"{path} is empty: the first line must name the columns", field="path")
    head = [name.strip() or f"column {number + 1}" for number, name in enumerate(rows[0])]
    twice = [name for name, count in Counter(head).items() if count > 1]
    if twice:
        raise Invalid(f"{path} names a column twice: {twice[0]}", field="path")
    width, body = len(head), [row for row in rows[1:] if row]
    # A short row misses its last values; what a long one has beyond the header has no name.
    if any(len(row) != width for row in body):
        body = [[*row[:width], *[""] * (width - len(row))] for row in body]
    return (
        dict(zip(head, (list(column) for column in zip(*body, strict=True)), strict=True))
        if body
        else {name: [] for name in head}
    )


def column(cells: Sequence[str], like: Column | None = None) -> Column:
    """The cells as what they are, or as what the other file's column is."""
    numeric = None if like is None else like.kind is Kind.NUMERIC and not like.lengths
    if numeric is not False:
        try:
            numbers = np.array(list(map(float, cells)), np.float64)
        except ValueError:
            pass
        else:
            if cells and np.isfinite(numbers).all():
                return Column(Kind.NUMERIC, numbers, Counter(), len(cells), 0, 0)
    # Each different cell is looked at once: names come often.
    seen = Counter(cells)
    values = {cell: _number(cell) for cell in seen}
    holes = {cell for cell in seen if cell.strip().lower() in MISSING}
    missing = sum(seen[cell] for cell in holes)
    held = len(cells) - missing
    found = sum(count for cell, count in seen.items() if math.isfinite(values[cell]))
    if numeric is None:
        numeric = found > 0 and found >= _NUMERIC * held
    if numeric:
        every = np.array([values[cell] for cell in cells], np.float64)
        # Infinity is nothing a sensor can mean, however it is written.
        endless = sum(seen[cell] for cell, value in values.items() if math.isinf(value) and cell not in holes)
        kept = every[np.isfinite(every)]
        return Column(Kind.NUMERIC, kept, Counter(), len(cells), missing + endless, held - found - endless)
    names = Counter({cell: count for cell, count in seen.items() if cell not in holes})
    texts = len(names) > max(_FEWEST_TEXTS, _TEXTS * held) if like is None else like.lengths
    if texts:
        lengths = np.array([len(cell) for cell in cells if cell not in holes], np.float64)
        return Column(Kind.NUMERIC, lengths, Counter(), len(cells), missing, 0, lengths=True)
    return Column(Kind.CATEGORICAL, np.zeros(0), names, len(cells), missing, 0)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
