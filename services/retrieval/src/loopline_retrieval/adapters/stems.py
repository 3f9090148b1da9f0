"""A text's words as the embedded store's index sees them: lower case, no accents, Porter's stems.

Weaviate does not stem; so that both stores rank alike, what it indexes and what it is asked are stemmed here.
"""

import re
import threading
import unicodedata

import Stemmer

from loopline_retrieval.adapters.words import telling

_WORD = re.compile(r"\w+")
_local = threading.local()


def stemmed(text: str) -> str:
    """All words, parted by spaces."""
    return " ".join(_stems(_WORD.findall(_plain(text))))


def asked(question: str) -> str:
    """The question's telling words, each once; empty when it has no word at all."""
    return " ".join(dict.fromkeys(_stems(telling(_plain(question)))))


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _stems(words: list[str]) -> list[str]:
    if not hasattr(_local, "stemmer"):  # a stemmer serves one thread
        _local.stemmer = Stemmer.Stemmer("porter")
    stems: list[str] = _local.stemmer.stemWords(words)
    return stems
