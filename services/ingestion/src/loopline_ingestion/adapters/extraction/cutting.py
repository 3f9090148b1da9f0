"""structure.v1: by headings, pages and sheets first, then by sentences and lines up to so many tokens of the embedding model.

Sentences at the end of a passage are repeated at the start of the next, so that what stands across the cut is found. Offsets are into
the extracted text: all blocks, parted by blank lines.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Kind
from loopline_ingestion.model import Cut, Cutting, Place

GAP = "\n\n"
# A run longer than this is parted before it is tokenized, whatever it is: one word of ten megabytes must not become one token.
MOST_UNIT = 800
LETTERS_A_TOKEN = 16
# A section shorter than this goes on into the next rather than being a passage of its own.
SHORT_TOKENS = 40
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?…。！？][\"'”’)\]]*(?=\s)|\n|$)", re.MULTILINE)
_LINE = re.compile(r"[^\n]+")


@dataclass(slots=True)
class _Unit:
    """The smallest thing that is moved: a sentence or a line. Offsets into the extracted text."""

    start: int
    end: int
    tokens: int = 0


@dataclass(slots=True)
class _Section:
    """Blocks under the same headings, on the same page or sheet."""

    headings: tuple[str, ...]
    page: int
    sheet: str
    units: list[_Unit]

    @property
    def tokens(self) -> int:
        return sum(unit.tokens for unit in self.units)


def text_of(content: Content) -> str:
    """The extracted text, to which all offsets belong."""
    return GAP.join(block.text for block in content.blocks)


def cut(content: Content, text: str, cutting: Cutting, tokenizer: Tokenizer) -> tuple[Cut, ...]:
    """Passages in order; none has more than `max_tokens`, none is blank."""
    sections = _counted(_sections(content.blocks, text), text, tokenizer)
    cuts: list[Cut] = []
    for section in _merged(sections, cutting.max_tokens):
        for start, end in _packed(section.units, cutting):
            passage = text[start:end].strip()
            if not any(letter.isalnum() for letter in passage):
                continue
            start += len(text[start:end]) - len(text[start:end].lstrip())
            place = Place(section.page, section.sheet, section.headings, start, start + len(passage))
            cuts.append(Cut(len(cuts), passage, place))
    return tuple(cuts)


def _sections(blocks: Sequence[Block], text: str) -> Iterator[_Section]:
    headings: list[tuple[int, str]] = []
    section: _Section | None = None
    at = 0
    for block in blocks:
        if block.kind is Kind.HEADING:
            headings = [heading for heading in headings if heading[0] < block.level]
            headings.append((block.level, block.text[:200]))
        way = tuple(heading for _, heading in headings)
        if section is None or block.kind is Kind.HEADING or (section.page, section.sheet) != (block.page, block.sheet):
            if section:
                yield section
            section = _Section(way, block.page, block.sheet, [])
        pattern = _LINE if block.kind is Kind.LINES else _SENTENCE
        section.units += _units(text, at, at + len(block.text), pattern)
        at += len(block.text) + len(GAP)
    if section:
        yield section


def _units(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[_Unit]:
    for match in pattern.finditer(text, start, end):
        here = match.start()
        while match.end() - here > MOST_UNIT:
            space = text.rfind(" ", here + MOST_UNIT // 2, here + MOST_UNIT)
            stop = space + 1 if space > 0 else here + MOST_UNIT
            yield _Unit(here, stop)
            here = stop
        if here < match.end():
            yield _Unit(here, match.end())


def _counted(sections: Iterator[_Section], text: str, tokenizer: Tokenizer) -> list[_Section]:
    found = list(sections)
    units = [unit for section in found for unit in section.units]
    encoded = tokenizer.encode_batch([text[unit.start : unit.end] for unit in units], add_special_tokens=False)
    for unit, encoding in zip(units, encoded, strict=True):
        # A word that is too long is one unknown token, whatever its length: it must not count as little.
        unit.tokens = max(len(encoding.ids), (unit.end - unit.start) // LETTERS_A_TOKEN)
    return found


def _merged(sections: list[_Section], max_tokens: int) -> Iterator[_Section]:
    """A short section (a title, a heading without text) goes on into the next one of its page."""
    waiting: _Section | None = None
    for section in sections:
        if waiting and (waiting.page, waiting.sheet) == (section.page, section.sheet):
            # The deeper heading tells more; under another branch, what both share.
            shared = (
                section.headings if section.headings[: len(waiting.headings)] == waiting.headings else waiting.headings
            )
            section = _Section(shared, section.page, section.sheet, [*waiting.units, *section.units])
        elif waiting:
            yield waiting
        waiting = section if section.tokens < min(SHORT_TOKENS, max_tokens // 2) else None
        if waiting is None:
            yield section
    if waiting:
        yield waiting


def _packed(units: list[_Unit], cutting: Cutting) -> Iterator[tuple[int, int]]:
    """Spans of at most `max_tokens`; each begins with up to `overlap_tokens` of the one before."""
    pack: list[_Unit] = []
    size, fresh = 0, 0
    for unit in (small for one in units for small in _small(one, cutting.max_tokens)):
        if pack and size + unit.tokens > cutting.max_tokens:
            yield pack[0].start, pack[-1].end
            pack, size = _tail(pack, min(cutting.overlap_tokens, cutting.max_tokens - unit.tokens))
            fresh = 0
        pack.append(unit)
        size += unit.tokens
        fresh += 1
    if fresh:
        yield pack[0].start, pack[-1].end


def _small(unit: _Unit, max_tokens: int) -> Iterator[_Unit]:
    """A unit of too many tokens in even parts; tokens are taken as evenly spread, and never over one a character."""
    if unit.tokens <= max_tokens:
        yield unit
        return
    length = unit.end - unit.start
    parts = -(-unit.tokens // (max_tokens // 2))
    step = max(1, min(length // parts, max_tokens))
    for start in range(unit.start, unit.end, step):
        end = min(start + step, unit.end)
        yield _Unit(start, end, min(end - start, max_tokens))


def _tail(pack: list[_Unit], most_tokens: int) -> tuple[list[_Unit], int]:
    kept: list[_Unit] = []
    size = 0
    for unit in reversed(pack):
        if size + unit.tokens > most_tokens:
            break
        kept.insert(0, unit)
        size += unit.tokens
    return kept, size
