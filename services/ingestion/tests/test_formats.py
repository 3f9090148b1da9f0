"""Every format keeps what a citation needs; every passage can be found again in the text."""

import io
import itertools
import json
import time
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from reportlab.pdfgen.canvas import Canvas
from tokenizers import Tokenizer

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Kind
from loopline_ingestion.adapters.extraction.cutting import cut, text_of
from loopline_ingestion.adapters.extraction.detection import read, type_of
from loopline_ingestion.model import Cut, Cutting

DEFAULT = Cutting()
TOKENIZER = Path(__file__).parents[3] / ".models/all-MiniLM-L6-v2/tokenizer.json"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(TOKENIZER))
    found.no_truncation()
    found.no_padding()
    return found


def passages(
    path: Path, tokenizer: Tokenizer, source: str = "", cutting: Cutting = DEFAULT
) -> tuple[Content, list[Cut]]:
    content = read(path, type_of(path, source or path.name, ""))
    text = text_of(content)
    cuts = list(cut(content, text, cutting, tokenizer))
    for one in cuts:
        assert text[one.place.start : one.place.end] == one.text
        assert len(tokenizer.encode(one.text, add_special_tokens=False).ids) <= cutting.max_tokens
    assert [one.ordinal for one in cuts] == list(range(len(cuts)))
    return content, cuts


def test_pdf_keeps_title_and_pages(tmp_path: Path, tokenizer: Tokenizer):
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path))
    canvas.setTitle("Coast")
    for text in ("The first page is about gulls.", "The second page is about ferries."):
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    content, cuts = passages(path, tokenizer)
    assert content.title == "Coast"
    assert [(one.place.page, one.text) for one in cuts] == [
        (1, "The first page is about gulls."),
        (2, "The second page is about ferries."),
    ]


def test_markdown_keeps_headings_tables_and_code(tmp_path: Path, tokenizer: Tokenizer):
    path = tmp_path / "a.md"
    filler = "The keeper writes down the weather every evening at eight. " * 5
    path.write_text(
        f"---\ntags: x\n---\n# Tower\n\n{filler}\n\n## Keepers\n\n{filler}\n\n| name | year |\n|---|---|\n| Ann | 1901 |\n\n```\nlight on\n```\n"
    )
    content, cuts = passages(path, tokenizer)
    assert content.title == "Tower"
    assert [one.place.headings for one in cuts] == [("Tower",), ("Tower", "Keepers")]
    assert "name: Ann; year: 1901" in cuts[1].text
    assert "light on" in cuts[1].text
    assert "tags" not in cuts[0].text


def test_html_keeps_what_people_see(tmp_path: Path, tokenizer: Tokenizer):
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>Ferries</title><script>evil()</script></head><body><nav>menu</nav><h1>Timetable</h1>"
        "<p>The ferry leaves <b>at</b> seven.</p><table><tr><th>day</th><th>boats</th></tr><tr><td>Monday</td><td>4</td></tr></table>"
        "<ul><li>No dogs</li></ul>loose text</body></html>"
    )
    content, (one,) = passages(path, tokenizer)
    assert content.title == "Ferries"
    for wanted in ("The ferry leaves at seven.", "day: Monday; boats: 4", "No dogs", "loose text"):
        assert wanted in one.text
    assert "evil" not in one.text
    assert "menu" not in one.text


def test_html_without_paragraphs_keeps_its_sentences_whole(tmp_path: Path, tokenizer: Tokenizer):
    path = tmp_path / "a.html"
    path.write_text(
        "<body><div>First <b>the</b> <a href='x'>gulls</a>.<div>Then <i>the boats</i>.</div>Last <em>the</em> rain.</div></body>"
    )
    content, _ = passages(path, tokenizer)
    assert [block.text for block in content.blocks] == ["First the gulls.", "Then the boats.", "Last the rain."]


def test_word_powerpoint_and_excel(tmp_path: Path, tokenizer: Tokenizer):
    word = docx.Document()
    word.add_heading("Rules", 1)
    word.add_paragraph("Boats keep to the right of the channel at all times.")
    table = word.add_table(2, 2)
    for row, cells in zip(table.rows, (("sign", "meaning"), ("red", "stop")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    word.save(str(tmp_path / "a.docx"))
    _, (one,) = passages(tmp_path / "a.docx", tokenizer)
    assert one.place.headings == ("Rules",)
    assert "sign: red; meaning: stop" in one.text
    deck = pptx.Presentation()
    for title, body in (("Start", "We begin with the harbour."), ("End", "We end with the bridge.")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    deck.save(str(tmp_path / "a.pptx"))
    _, slides = passages(tmp_path / "a.pptx", tokenizer)
    assert [(one.place.page, one.place.headings) for one in slides] == [(1, ("Start",)), (2, ("End",))]
    book = openpyxl.Workbook()
    book.active.title = "Boats"
    for row in (("name", "length"), ("Heron", 12), ("Gull", 9)):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    _, (sheet,) = passages(tmp_path / "a.xlsx", tokenizer)
    assert sheet.place.sheet == "Boats"
    assert sheet.text == "name: Heron; length: 12\nname: Gull; length: 9"


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("a.csv", b"name;year\nAnn;1901\nBob;1902\n", "name: Ann; year: 1901"),
        ("a.json", json.dumps({"boats": [{"name": "Heron"}]}).encode(), "boats[0].name: Heron"),
        ("a.py", b"def light():\n    return 'on'\n", "return 'on'"),
        ("a.txt", "Größe der Möwe".encode("latin-1"), "Größe der Möwe"),
        ("a.txt", "Größe der Möwe".encode("utf-16"), "Größe der Möwe"),
        ("noending", b"plain words here", "plain words here"),
        ("picture.txt", b"<!doctype html><p>seen</p>", "seen"),
    ],
)
def test_text_of_many_kinds(tmp_path: Path, tokenizer: Tokenizer, name: str, data: bytes, wanted: str):
    path = tmp_path / name
    path.write_bytes(data)
    _, cuts = passages(path, tokenizer)
    assert wanted in " ".join(one.text for one in cuts)


def test_long_text_is_cut_at_sentences_with_overlap(tmp_path: Path, tokenizer: Tokenizer):
    path = tmp_path / "long.txt"
    path.write_text(" ".join(f"Sentence number {n} tells of gulls and boats." for n in range(100)))
    _, cuts = passages(path, tokenizer, cutting=Cutting(max_tokens=60, overlap_tokens=20))
    assert len(cuts) > 10
    for before, after in itertools.pairwise(cuts):
        assert before.place.start < after.place.start < before.place.end < after.place.end
        assert after.text.startswith("Sentence number")
    assert passages(path, tokenizer, cutting=Cutting(max_tokens=60, overlap_tokens=20))[1] == cuts


def test_a_line_of_four_megabytes_without_a_space_is_cut_in_time(tokenizer: Tokenizer):
    content = Content([Block("x1" * 2_000_000)])
    began = time.monotonic()
    cuts = cut(content, text_of(content), Cutting(), tokenizer)
    assert time.monotonic() - began < 60
    assert max(len(one.text) for one in cuts) < 16_384


def test_short_sections_join_their_neighbour(tokenizer: Tokenizer):
    blocks = [
        Block("Manual", Kind.HEADING, 1),
        Block("Chapter", Kind.HEADING, 2),
        Block("The light is switched on at dusk. " * 12),
    ]
    content = Content(blocks)
    (one,) = cut(content, text_of(content), Cutting(), tokenizer)
    assert one.place.headings == ("Manual", "Chapter")
    assert one.text.startswith("Manual")


def test_pdf_bytes_in_memory_are_what_they_are_whatever_their_name(tmp_path: Path):
    made = io.BytesIO()
    canvas = Canvas(made)
    canvas.drawString(72, 700, "words")
    canvas.save()
    path = tmp_path / "x"
    path.write_bytes(made.getvalue())
    assert type_of(path, "notes.txt", "text/plain") == "application/pdf"
