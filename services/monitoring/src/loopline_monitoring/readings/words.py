"""What a text tells without a model: how long it is, whether it repeats itself, whether it refuses."""

import re

_WORD = re.compile(r"\w+")
_REFUSES = re.compile(
    r"\b(i (?:can(?:no|')t|can not|am unable to|'?m unable to|won't|will not)\b.{0,40}\b(?:help|assist|answer|provide|comply|do that)"
    r"|i'?m sorry,? but|as an ai\b|i am sorry,? but)",
    re.IGNORECASE,
)
HASHED = "sha256:"


def readable(text: str) -> bool:
    """Whether a text of an event is there, and is one (a tenant's content may be hashed or absent)."""
    return bool(text) and not text.startswith(HASHED)


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())


def repetition(found: list[str]) -> float:
    """Share of the trigrams that came before in the same text, 0 to 1."""
    trigrams = list(zip(found, found[1:], found[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def refuses(text: str) -> bool:
    """Whether an answer declines in the words models use for it."""
    return _REFUSES.search(text[:400]) is not None
