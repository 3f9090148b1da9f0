"""What every format becomes: a title and blocks in reading order."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a block is, as far as cutting cares."""

    HEADING = "heading"
    TEXT = "text"
    # One row or one line a line; never split inside when it can be helped.
    LINES = "lines"


@dataclass(slots=True)
class Block:
    """A piece of text. `level` of a heading from 1; page from 1, 0: none."""

    text: str
    kind: Kind = Kind.TEXT
    level: int = 0
    page: int = 0
    sheet: str = ""


@dataclass(slots=True)
class Content:
    """A document as its format's reader found it."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""


class Unreadable(Exception):
    """The document cannot be read; `code` for programs, the sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def rows(table: list[list[str]]) -> str:
    """A table as lines; the first row names the columns, so that each line speaks for itself: `name: Ann; year: 1901`."""
    cleaned = [[" ".join(cell.split()) for cell in row] for row in table]
    cleaned = [row for row in cleaned if any(row)]
    if len(cleaned) < 2:  # no rows below a header
        return "\n".join("; ".join(filter(None, row)) for row in cleaned)
    header, *body = cleaned
    return "\n".join(
        "; ".join(
            f"{header[place]}: {cell}" if place < len(header) and header[place] else cell
            for place, cell in enumerate(row)
            if cell
        )
        for row in body
    )
