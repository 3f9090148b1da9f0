"""Word, PowerPoint, Excel and CSV."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import docx
import openpyxl
import pptx
from docx.table import Table
from docx.text.paragraph import Paragraph

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Kind, Unreadable, rows
from loopline_ingestion.adapters.extraction.formats.plain import decoded

MOST_UNPACKED_BYTES = 300 * 1024 * 1024
MOST_RATIO = 200
_HEADING = re.compile(r"Heading (\d)")


def checked_archive(path: Path) -> list[str]:
    """The names inside an office file. BROKEN when it is no archive, TOO_LARGE when it would explode."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except BadZipFile as error:
        raise Unreadable("BROKEN", f"not a complete office file: {error}") from error
    unpacked, packed = sum(member.file_size for member in members), sum(member.compress_size for member in members)
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > 10 * 1024 * 1024 and unpacked > MOST_RATIO * max(packed, 1)):
        raise Unreadable("TOO_LARGE", f"the archive of {packed} bytes unpacks to {unpacked}; it is not opened")
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable("ENCRYPTED", "the archive is encrypted; take its password off and submit it again")
    return [member.filename for member in members]


def _opened(read: Callable[[Path], Content], path: Path, what: str) -> Content:
    checked_archive(path)
    try:
        return read(path)
    except (KeyError, ValueError, AttributeError, BadZipFile, OSError, SyntaxError, TypeError, IndexError) as error:
        # What these libraries raise on a damaged file, lxml's XMLSyntaxError (a SyntaxError) included.
        raise Unreadable("BROKEN", f"the {what} cannot be read: {type(error).__name__}: {str(error)[:200]}") from error


def word(path: Path) -> Content:
    """Headings, paragraphs and tables in order."""
    return _opened(_word, path, "Word document")


def slides(path: Path) -> Content:
    """One page per slide: its title is a heading; notes are read too."""
    return _opened(_slides, path, "presentation")


def sheets(path: Path) -> Content:
    """Each sheet as rows that name their columns."""
    return _opened(_sheets, path, "workbook")


def _word(path: Path) -> Content:
    document = docx.Document(str(path))
    content = Content(title=document.core_properties.title or "")
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            content.blocks.append(Block(rows([[cell.text for cell in row.cells] for row in item.rows]), Kind.LINES))
        elif isinstance(item, Paragraph) and item.text.strip():
            style = item.style.name if item.style and item.style.name else ""
            heading = _HEADING.match(style)
            level = 1 if style == "Title" else int(heading[1]) if heading else 0
            content.blocks.append(Block(item.text.strip(), Kind.HEADING if level else Kind.TEXT, level))
            if level == 1 and not content.title:
                content.title = item.text.strip()
    content.blocks = [block for block in content.blocks if block.text.strip()]
    return content


def _slides(path: Path) -> Content:
    presentation = pptx.Presentation(str(path))
    content = Content(title=presentation.core_properties.title or "")
    for number, slide in enumerate(presentation.slides, 1):
        title = slide.shapes.title
        for shape in slide.shapes:
            if shape.has_text_frame and shape.text_frame.text.strip():
                heading = title is not None and shape.shape_id == title.shape_id
                text = shape.text_frame.text.strip()
                content.blocks.append(Block(text, Kind.HEADING if heading else Kind.TEXT, 1 if heading else 0, number))
            elif shape.has_table:
                table = [[cell.text for cell in row.cells] for row in shape.table.rows]
                content.blocks.append(Block(rows(table), Kind.LINES, page=number))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            if notes:
                content.blocks.append(Block(notes, page=number))
    return content


def _sheets(path: Path) -> Content:
    workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    content = Content(title=(workbook.properties.title or "") if workbook.properties else "")
    try:
        for sheet in workbook.worksheets:
            table = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
            if text := rows(table):
                content.blocks.append(Block(text, Kind.LINES, sheet=sheet.title))
    finally:
        workbook.close()
    return content


def comma_separated(data: bytes) -> Content:
    """CSV and TSV, whatever the separator."""
    text = decoded(data)
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:20_000], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(16 * 1024 * 1024)
    try:
        table = list(csv.reader(io.StringIO(text), dialect))
    except csv.Error as error:
        raise Unreadable("BROKEN", f"not valid CSV: {error}") from error
    lines = rows(table)
    return Content([Block(lines, Kind.LINES)] if lines else [])
