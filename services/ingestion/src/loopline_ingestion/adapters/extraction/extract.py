"""The whole work on one document, as it is done in the child: read, cut, validate."""

from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from tokenizers import Tokenizer

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Unreadable
from loopline_ingestion.adapters.extraction.cutting import cut, text_of
from loopline_ingestion.adapters.extraction.detection import read, type_of
from loopline_ingestion.adapters.extraction.expectations import Expectations
from loopline_ingestion.model import Cutting
from loopline_runtime.errors import Invalid

MOST_TITLE = 200


def refused(code: str, sentence: str) -> dict[str, Any]:
    """A result that says why there is none."""
    return {"reasons": [{"code": code, "text": sentence}]}


class Extractor:
    """Loaded once in the worker; children inherit it."""

    def __init__(self, tokenizer: str, most_characters: int) -> None:
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._most_characters = most_characters
        self._expectations = Expectations()

    def warm(self) -> None:
        """The first run is slow; children shall not pay for it."""
        content = Content([Block("A sentence to begin with.")])
        cuts = cut(content, text_of(content), Cutting(), self._tokenizer)
        self._expectations.failures(cuts, {}, "")

    def work(self, order: dict[str, Any]) -> dict[str, Any]:
        """The result of an order, as JSON can hold it."""
        try:
            if order["kind"] == "check_suite":
                self._expectations.check_suite(order["expectations_json"])
                return {}
            return self._extracted(order)
        except Unreadable as error:
            return refused(error.code, str(error))
        except Invalid as error:
            return refused("EXPECTATION", str(error))

    def _extracted(self, order: dict[str, Any]) -> dict[str, Any]:
        path = Path(order["path"])
        media_type = type_of(path, order["source"], order["content_type"])
        content = read(path, media_type)
        text = text_of(content)
        if len(text) > self._most_characters:
            raise Unreadable(
                "TOO_LARGE", f"it holds {len(text)} characters of text; at most {self._most_characters} are indexed"
            )
        cuts = cut(content, text, Cutting(**order["cutting"]), self._tokenizer)
        if not cuts:
            raise Unreadable("NO_TEXT", "there is no text in it")
        failures = self._expectations.failures(cuts, order["metadata"], order["expectations_json"])
        if failures:
            return {"reasons": [asdict(failure) for failure in failures]}
        return {
            "title": (content.title or PurePosixPath(order["source"]).name)[:MOST_TITLE],
            "content_type": media_type,
            "characters": len(text),
            "cuts": [asdict(one) for one in cuts],
        }
