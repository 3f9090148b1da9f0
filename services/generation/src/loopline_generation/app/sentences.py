"""The sentences of the passages, and which of them bear on a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopline_generation.model import Passage
from loopline_text import bearings, split

MOST_EMBEDDED = 64


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage. `number`: the passage's place in the sources, from 1. `start`: characters into the passage."""

    number: int
    text: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence and how well it bears on the question; `lexical` is the share of words alone."""

    sentence: Sentence
    score: float
    lexical: float


def sentences_of(passages: Sequence[Passage]) -> list[Sentence]:
    """All sentences, each once: overlapping passages repeat some."""
    seen: set[str] = set()
    found = []
    for number, passage in enumerate(passages, 1):
        for start, text in split(passage.text):
            if text not in seen:
                seen.add(text)
                found.append(Sentence(number, text, start))
    return found


def preselected(sentences: Sequence[Sentence], shares: Sequence[float]) -> list[int]:
    """The places worth an embedding: the first sentences of the best passages, and those with the most words in common."""
    if len(sentences) <= MOST_EMBEDDED:
        return list(range(len(sentences)))
    by_share = sorted(range(len(sentences)), key=lambda place: (-shares[place], place))
    return sorted(by_share[:MOST_EMBEDDED])


def scored(
    sentences: Sequence[Sentence], shares: Sequence[float], question: bytes, vectors: Sequence[bytes]
) -> list[Scored]:
    """Best first; ties in the order of the text."""
    scores = bearings(question, vectors, shares)
    found = [Scored(*one) for one in zip(sentences, scores, shares, strict=True)]
    return sorted(found, key=lambda one: -one.score)
