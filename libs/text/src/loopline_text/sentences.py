"""Running text as sentences."""

import re

# Not before a small letter: "i.e. this" goes on.
_SPLIT = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?![\sa-z])|\n+")


def split(text: str) -> list[tuple[int, str]]:
    """Sentences (or lines) with their offsets in characters, nothing blank among them."""
    found, start = [], 0
    for match in _SPLIT.finditer(text):
        found.append((start, text[start : match.start()].rstrip()))
        start = match.end()
    found.append((start, text[start:].rstrip()))
    return [(at, part) for at, part in found if any(letter.isalnum() for letter in part)]
