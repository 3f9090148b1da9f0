"""Text, source code and JSON."""

import json
import re
from typing import Any

from charset_normalizer import from_bytes

from loopline_ingestion.adapters.extraction.blocks import Block, Content, Kind, Unreadable

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
MOST_DEPTH = 64


def decoded(data: bytes) -> str:
    """Text of unknown encoding: UTF-8 first, then the best guess; bytes that are no text at all are Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in data[:4096] and not data.startswith(_BOMS):
            raise Unreadable("BAD_ENCODING", "the bytes are not text in any encoding") from error
        guess = from_bytes(data[:200_000]).best()
        if guess is None:
            raise Unreadable(
                "BAD_ENCODING", f"the text is not UTF-8 (byte {error.start}) and no other encoding fits"
            ) from error
        text = data.decode(guess.encoding, errors="replace")
        if text.count("\ufffd") > len(text) / 100:
            raise Unreadable("BAD_ENCODING", "over 1 % of the text cannot be decoded") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def text(data: bytes) -> Content:
    """Paragraphs parted by blank lines."""
    return Content([Block(part.strip()) for part in re.split(r"\n\s*\n", decoded(data)) if part.strip()])


def code(data: bytes) -> Content:
    """Source code: groups of lines parted by blank lines."""
    parts = re.split(r"\n\s*\n", decoded(data))
    return Content([Block(part.strip("\n"), Kind.LINES) for part in parts if part.strip()])


def json_text(data: bytes) -> Content:
    """One line per value, with the way to it: `orders[3].customer: Ann`."""
    try:
        value = json.loads(decoded(data))
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable("BROKEN", f"not valid JSON: {error}") from error
    lines: list[str] = []
    _flatten("", value, lines, 0)
    return Content([Block("\n".join(lines), Kind.LINES)] if lines else [])


def _flatten(way: str, value: Any, lines: list[str], depth: int) -> None:
    if depth > MOST_DEPTH:
        raise Unreadable("BROKEN", f"JSON nested deeper than {MOST_DEPTH}")
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(f"{way}.{key}" if way else str(key), inner, lines, depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _flatten(f"{way}[{place}]", inner, lines, depth + 1)
    elif value not in (None, ""):
        lines.append(f"{way}: {' '.join(str(value).split())}" if way else str(value))
