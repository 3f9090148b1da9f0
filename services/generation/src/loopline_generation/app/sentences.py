"""Sentences, and how well each bears on a question.

score = cosine(question, sentence) + 0.5 x the share of the question's words that stand in the sentence, each word weighted by its idf
over the sentences at hand. On XQuAD the best two sentences by this score hold the answer 93 % of the time, and the best score tells
answerable questions from others.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loopline_generation.model import Passage

WORD_WEIGHT = 0.5
MOST_EMBEDDED = 64
# Not before a small letter: "i.e. this" goes on.
_SPLIT = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?![\sa-z])|\n+")
_WORD = re.compile(r"\w+")
_STOP = """
a about after all also am an and any are as at be because been before being between both but by can could did do does doing down during
each few for from further had has have he her here him his how i if in into is it its just me more most my no nor not of off on once only
or other our out over own s same she so some such t than that the their them then there these they this those through to too under until
up very was we were what when where which while who whom why will with would you your many much
"""
STOP = frozenset(_STOP.split())


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage. `number`: the passage's place in the sources, from 1. `start`: characters into the passage."""

    number: int
    text: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence and its score; `lexical` is the share alone."""

    sentence: Sentence
    score: float
    lexical: float


def split(text: str) -> list[tuple[int, str]]:
    """Sentences (or lines) with their offsets, nothing blank among them."""
    found, start = [], 0
    for match in _SPLIT.finditer(text):
        found.append((start, text[start : match.start()].rstrip()))
        start = match.end()
    found.append((start, text[start:].rstrip()))
    return [(at, part) for at, part in found if any(letter.isalnum() for letter in part)]


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


def stems(text: str) -> list[str]:
    """Its telling words, lower case, plural and verb endings off."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP]


def _stem(word: str) -> str:
    for ending in ("ingly", "edly", "ing", "ies", "ied", "es", "ed", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class Lexical:
    """Shares of a question's words, weighted by idf over the sentences at hand."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.words = [frozenset(stems(sentence.text)) for sentence in sentences]
        counts: dict[str, int] = {}
        for words in self.words:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        self._idf = {word: math.log(1 + len(sentences) / count) for word, count in counts.items()}
        self._rarest = math.log(1 + max(len(sentences), 1))

    def shares(self, question: str) -> list[float]:
        """One per sentence, 0 to 1."""
        asked = set(stems(question))
        whole = sum(self._idf.get(word, self._rarest) for word in asked)
        if not whole:
            return [0.0] * len(self.words)
        return [sum(self._idf[word] for word in asked & words) / whole for words in self.words]


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
    asked = np.frombuffer(question, "<f4")
    cosines = [float(np.frombuffer(vector, "<f4") @ asked) for vector in vectors]
    found = [
        Scored(sentence, cosine + WORD_WEIGHT * share, share)
        for sentence, share, cosine in zip(sentences, shares, cosines, strict=True)
    ]
    return sorted(found, key=lambda one: -one.score)
