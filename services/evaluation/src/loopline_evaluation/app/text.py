"""Sentences, words and citations of a text, in any language that the embedding model reads."""

import re
from dataclasses import dataclass

CITATION = re.compile(r"\s?\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")
_QUOTE = re.compile(r"[“\"]([^“”\"]{12,})[”\"]")
# After an end mark, closing quotes and citations, at white space; not before a small letter, for "i.e. this" goes on.
_END = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))((?:\s?\[[\d,\s]+\])*)\s+(?![\sa-z])|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_SUFFIXES = ("ingly", "edly", "ing", "ies", "ied", "es", "ed", "ly", "s")
# What says nothing by itself, in the five most frequent languages of the corpora this was tried on.
_SILENT = """
a about after all also am an and any are as at be because been before being between both but by can could did do does doing down during each
few for from further had has have he her here him his how i if in into is it its just me more most my no nor not of off on once only or
other our out over own same she so some such than that the their them then there these they this those through to too under until up very
was we were what when where which while who whom why will with would you your aber als am an auch auf aus bei bis das dass dem den der des
die durch ein eine einem einen einer eines er es für hat ich ihr im in ist mit nach nicht oder sich sie sind so um und von vor war was wer
wie wird wo wurde wurden zu zum zur über al como con de del desde donde e el ella en era es esta este fue fueron ha hasta la las lo los más
no o para pero por que qué se ser si sin sobre son su sus también un una uno y ya au aux avec ce ces dans des du elle en est et il ils je le
les leur mais ne ou où par pas pour qu que qui sa se ses son sont sur un une vous
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
    """Its telling words: lower case, endings off; of scripts without spaces, each two characters."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _WIDE.search(word):
            found += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
        elif word not in SILENT:
            found.append(_stem(word))
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


def _stem(word: str) -> str:
    for ending in _SUFFIXES:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
