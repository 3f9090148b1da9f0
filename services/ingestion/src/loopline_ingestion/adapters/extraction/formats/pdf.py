"""PDF through PDFium."""

import re
from pathlib import Path

import pypdfium2

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Unreadable

# A line that ends so is the end of a paragraph or of an item.
_ENDS = re.compile(r"[.:!?;]$")
ENCRYPTED = 4  # FPDF_ERR_PASSWORD


def pdf(path: Path) -> Content:
    """The text of each page. ENCRYPTED, BROKEN, or NO_TEXT for scans."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == ENCRYPTED or "password" in str(error).lower():
            raise Unreadable("ENCRYPTED", "the PDF is encrypted; take its password off and submit it again") from error
        raise Unreadable("BROKEN", f"the PDF cannot be opened: {error}") from error
    try:
        content = Content(title=(document.get_metadata_dict().get("Title") or "").strip())
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            content.blocks += [Block(part, page=number + 1) for part in _paragraphs(text)]
        if not content.blocks and len(document):
            raise Unreadable(
                "NO_TEXT", f"the PDF has {len(document)} pages but no text: a scan? Text in pictures is not read"
            )
    except pypdfium2.PdfiumError as error:
        raise Unreadable("BROKEN", f"a page of the PDF cannot be read: {error}") from error
    finally:
        document.close()
    return content


def _paragraphs(text: str) -> list[str]:
    """Lines of a page joined to sentences again; a word parted at a line's end is made whole."""
    paragraphs, current = [], ""
    for line in text.replace("\r\n", "\n").replace("\ufffe\n", "").replace("\x02\n", "").split("\n"):
        stripped = line.strip()
        if not stripped:
            paragraphs.append(current)
            current = ""
            continue
        current = (
            current[:-1] + stripped if current.endswith("-") and stripped[0].islower() else f"{current} {stripped}"
        )
        if _ENDS.search(stripped) and len(stripped) < 60:
            paragraphs.append(current)
            current = ""
    paragraphs.append(current)
    return [paragraph.strip() for paragraph in paragraphs if paragraph.strip()]
