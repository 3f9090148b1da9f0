"""The real worker with Great Expectations inside: whatever a document does, it does it alone."""

import asyncio
import io
import json
import os
import signal
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from loopline_ingestion.adapters.extraction.pool import WorkerPool
from loopline_ingestion.model import Extracted, Refused, Work
from loopline_runtime.errors import Invalid

TOKENIZER = Path(__file__).parents[3] / ".models/all-MiniLM-L6-v2/tokenizer.json"
pytestmark = pytest.mark.asyncio(loop_scope="module")
WORDS = "The keeper writes down the weather every evening at eight."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[WorkerPool]:
    limits = {"seconds": 20.0, "memory_bytes": 512 * 2**20, "most_characters": 200_000, "at_once": 2}
    async with WorkerPool(TOKENIZER, **limits).running() as running:
        yield running


def pdf(text: str, **options: object) -> bytes:
    made = io.BytesIO()
    canvas = Canvas(made, **options)
    if text:
        canvas.drawString(72, 700, text)
    canvas.showPage()
    canvas.save()
    return made.getvalue()


def archive(name: str, data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        file.writestr(name, data)
    return made.getvalue()


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
FAULTS = {
    "empty": ("a.txt", b"", "EMPTY"),
    "blank": ("a.txt", b" \n\t ", "EMPTY"),
    "a text named pdf": ("a.pdf", WORDS.encode(), "BROKEN"),
    "random bytes": ("a.txt", bytes(range(256)) * 20, "BAD_ENCODING"),
    "encrypted": ("a.pdf", pdf(WORDS, encrypt=StandardEncryption("secret")), "ENCRYPTED"),
    "broken": ("a.pdf", pdf(WORDS)[:200], "BROKEN"),
    "scanned": ("a.pdf", pdf(""), "NO_TEXT"),
    "a picture": ("a.md", b"\x89PNG\r\n" + b"x" * 100, "UNSUPPORTED"),
    "a zip bomb": ("a.docx", archive("word/document.xml", b"\0" * 400_000_000), "TOO_LARGE"),
    "an entity bomb": ("a.docx", archive("word/document.xml", LAUGHS + b"]><x>&j;</x>"), "BROKEN"),
    "deep nesting": ("a.json", b"[" * 100_000 + b"]" * 100_000, "BROKEN"),
    "too much text": ("a.txt", b"word " * 60_000, "TOO_LARGE"),
    "a line of ten megabytes": ("a.txt", b"y" * 10_000_000, "TOO_LARGE"),
    "only punctuation": ("a.txt", b"... --- !!! ???", "NO_TEXT"),
    "always the same": (
        "a.csv",
        b"a,b\n" + b"same words in every single line of it,again and again\n" * 2000,
        "EXPECTATION",
    ),
}


async def extracted(pool: WorkerPool, tmp_path: Path, name: str, data: bytes, **options: object) -> Extracted | Refused:
    path = tmp_path / "bytes"
    path.write_bytes(data)
    work = {"content_type": "", "metadata": {}, **options}
    return await pool.extract(Work(str(path), name, **work))


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_document_is_refused_with_a_reason_a_person_understands(
    shared: WorkerPool, tmp_path: Path, fault: str
):
    name, data, code = FAULTS[fault]
    result = await extracted(shared, tmp_path, name, data)
    assert isinstance(result, Refused), result
    assert result.reasons[0].code == code
    assert len(result.reasons[0].text) > 15
    good = await extracted(shared, tmp_path, "good.txt", WORDS.encode())
    assert isinstance(good, Extracted)


async def test_a_good_document_is_cut(shared: WorkerPool, tmp_path: Path):
    result = await extracted(shared, tmp_path, "notes.pdf", pdf(WORDS))
    assert isinstance(result, Extracted)
    assert [(cut.text, cut.place.page) for cut in result.cuts] == [(WORDS, 1)]


async def test_a_collections_own_expectations_decide(shared: WorkerPool, tmp_path: Path):
    suite = {"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "author"}}]}
    options = {"expectations_json": json.dumps(suite)}
    await shared.check_suite(options["expectations_json"])
    result = await extracted(shared, tmp_path, "a.txt", WORDS.encode(), **options)
    assert isinstance(result, Refused)
    assert "`author`" in result.reasons[0].text
    signed = await extracted(shared, tmp_path, "a.txt", WORDS.encode(), metadata={"author": "Ann"}, **options)
    assert isinstance(signed, Extracted)


@pytest.mark.parametrize("suite", ["not json", "[]", '{"expectations": [{"type": "expect_the_unexpected"}]}'])
async def test_a_suite_that_is_none_is_told(shared: WorkerPool, suite: str):
    with pytest.raises(Invalid, match="suite"):
        await shared.check_suite(suite)


async def test_a_document_that_takes_too_long_or_too_much_is_ended_alone(tmp_path: Path):
    limits = {"seconds": 0.3, "memory_bytes": 40 * 2**20, "most_characters": 50_000_000, "at_once": 2}
    async with WorkerPool(TOKENIZER, **limits).running() as pool:
        slow, good = await asyncio.gather(
            extracted(pool, tmp_path, "a.txt", b"some different words here. " * 200_000),
            extracted(pool, _folder(tmp_path), "b.txt", WORDS.encode()),
        )
        assert isinstance(slow, Refused)
        assert slow.reasons[0].code in ("TIMED_OUT", "TOO_LARGE", "CRASHED")
        assert isinstance(good, Extracted)
        assert pool._process
        os.kill(pool._process.pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        assert isinstance(await extracted(pool, tmp_path, "c.txt", WORDS.encode()), Extracted)


def _folder(tmp_path: Path) -> Path:
    made = tmp_path / "other"
    made.mkdir()
    return made
