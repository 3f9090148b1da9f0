"""Sentences, words and citations of a text, in any language that the embedding model reads."""

import re
from dataclasses import dataclass

from loopline_text import stems

CITATION = re.compile(r"\s?\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")
_QUOTE = re.compile(r"[“\"]([^“”\"]{12,})[”\"]")
# After an end mark, closing quotes and citations, at white space; not before a small letter, for "i.e. this" goes on.
_END = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))((?:\s?\[[\d,\s]+\])*)\s+(?![\sa-z])|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# What says nothing by itself in other languages than the library's.
_SILENT = """
aber als am an auch auf aus bei bis das dass dem den der des die durch ein eine einem einen einer eines er es für hat ich ihr im in ist mit nach
nicht oder sich sie sind so um und von vor war was wer wie wird wo wurde wurden zu zum zur über al como con de del desde donde e el ella en era
esta este fue fueron ha hasta la las lo los más no o para pero por que qué se ser si sin sobre son su sus también una uno y ya au aux avec ce ces
dans du elle est et il ils je le les leur mais ne ou où par pas pour qu qui sa ses sont sur un une vous
"""
SILENT = frozenset(_SILENT.split())


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with no citations in it. `cites`: the numbers that stood there, in order."""

    text: str
    cites: tuple[int, ...] = ()


def sentences(text: str) -> list[Sentence]:
    """The sentences (or lines) that say something, each with the citations that stand in or right behind it."""
    found: list[Sentence] = []
    start = 0
    for end in [*_END.finditer(text), None]:
        stop = end.end() if end else len(text)
        part = text[start:stop]
        start = stop
        cites = tuple(int(number) for match in CITATION.finditer(part) for number in match[1].split(","))
        plain = CITATION.sub("", part).strip()
        if any(letter.isalnum() for letter in plain):
            found.append(Sentence(plain, cites))
        elif cites and found:
            found[-1] = Sentence(found[-1].text, (*found[-1].cites, *cites))
    return found


def words(text: str) -> list[str]:
    """Its telling words, as the library tells them; of scripts without spaces, each two characters."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _WIDE.search(word):
            found += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
        elif word not in SILENT:
            found += stems(word)
    return found


def numbers(text: str) -> set[str]:
    """The numbers in it, as they are written."""
    return set(_NUMBER.findall(text))


def quotes(text: str) -> list[str]:
    """What stands in quotation marks and is long enough to be a quotation: three words."""
    return [quote for quote in _QUOTE.findall(text) if len(quote.split()) >= 3 or _WIDE.search(quote)]


def wide(text: str) -> bool:
    """Whether it is in a script without spaces."""
    return bool(_WIDE.search(text))


def plain(text: str) -> str:
    """Without citations, white space made single, quotation marks made straight: for comparing."""
    straight = CITATION.sub("", text).translate(str.maketrans("“”„’‘", '"""\'\''))
    return " ".join(straight.split())
