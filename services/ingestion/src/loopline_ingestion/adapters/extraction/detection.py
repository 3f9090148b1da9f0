"""Which reader reads a document: its first bytes decide where they are plain, else its declared type, else its ending."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from loopline_ingestion.adapters.extraction.blocks import Content, Unreadable
from loopline_ingestion.adapters.extraction.formats import markup, office, plain
from loopline_ingestion.adapters.extraction.formats.pdf import pdf

Reader = Callable[[Path], Content]


def _of_bytes(read: Callable[[bytes], Content]) -> Reader:
    return lambda path: read(path.read_bytes())


TEXT, MARKDOWN, HTML, JSON, CSV = "text/plain", "text/markdown", "text/html", "application/json", "text/csv"
PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"
WORD, SLIDES = f"{_OFFICE}.wordprocessingml.document", f"{_OFFICE}.presentationml.presentation"
SHEETS, CODE = f"{_OFFICE}.spreadsheetml.sheet", "text/x-source"

READERS: dict[str, Reader] = {
    TEXT: _of_bytes(plain.text),
    MARKDOWN: _of_bytes(markup.markdown),
    HTML: _of_bytes(markup.html),
    JSON: _of_bytes(plain.json_text),
    CSV: _of_bytes(office.comma_separated),
    CODE: _of_bytes(plain.code),
    PDF: pdf,
    WORD: office.word,
    SLIDES: office.slides,
    SHEETS: office.sheets,
}
_ENDINGS = {
    **dict.fromkeys((".txt", ".text", ".log", ".rst", ""), TEXT),
    **dict.fromkeys((".md", ".markdown"), MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), HTML),
    ".json": JSON,
    **dict.fromkeys((".csv", ".tsv"), CSV),
    ".pdf": PDF,
    ".docx": WORD,
    ".pptx": SLIDES,
    ".xlsx": SHEETS,
    **dict.fromkeys(
        (
            *(
                ".py",
                ".pyi",
                ".go",
                ".rs",
                ".js",
                ".ts",
                ".tsx",
                ".jsx",
                ".java",
                ".kt",
                ".c",
                ".h",
                ".cc",
                ".cpp",
                ".hpp",
                ".cs",
            ),
            *(
                ".rb",
                ".php",
                ".sh",
                ".sql",
                ".proto",
                ".yaml",
                ".yml",
                ".toml",
                ".ini",
                ".cfg",
                ".css",
                ".scala",
                ".swift",
                ".lua",
            ),
        ),
        CODE,
    ),
}
READ = "what is read: text, Markdown, HTML, PDF, Word, PowerPoint, Excel, CSV, JSON and source code"
_PARTS = (("word/document.xml", WORD), ("ppt/presentation.xml", SLIDES), ("xl/workbook.xml", SHEETS))
# Plainly not text, and not read.
_FOREIGN = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\xd0\xcf\x11\xe0", "an old binary Office file; save it as .docx, .pptx or .xlsx"),
    (b"{\\rtf", "RTF"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"\x7fELF", "a program"),
)


def type_of(path: Path, source: str, declared: str) -> str:
    """The media type that will be read. EMPTY, UNSUPPORTED or BROKEN when none can be."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.strip():
        raise Unreadable("EMPTY", "the document is empty")
    for magic, what in _FOREIGN:
        if start.startswith(magic):
            raise Unreadable("UNSUPPORTED", f"this is {what}; {READ}")
    if b"%PDF-" in start[:1024]:
        return PDF
    if start.startswith(b"PK\x03\x04"):
        names = set(office.checked_archive(path))
        for part, office_type in _PARTS:
            if part in names:
                return office_type
        raise Unreadable("UNSUPPORTED", "this is an archive, not a Word, PowerPoint or Excel file; unpack it first")
    wanted = declared.partition(";")[0].strip().lower()
    ending = PurePosixPath(source).suffix.lower()
    media_type = wanted if wanted in READERS else _ENDINGS.get(ending)
    if media_type is None:
        if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Unreadable("UNSUPPORTED", f"this is not text, and files that end in {ending} are not known; {READ}")
        media_type = HTML if start.lstrip().lower().startswith((b"<!doctype html", b"<html")) else TEXT
    if media_type in (PDF, WORD, SLIDES, SHEETS):
        raise Unreadable("BROKEN", f"the name or type says {media_type}, but the bytes are not of that kind")
    return media_type


def read(path: Path, media_type: str) -> Content:
    """The document's content."""
    return READERS[media_type](path)
