"""The telling words of a text."""

import re

_WORD = re.compile(r"\w+")
_STOP = """
a about after all also am an and any are as at be because been before being between both but by can could did do does doing down during
each few for from further had has have he her here him his how i if in into is it its just me more most my no nor not of off on once only
or other our out over own s same she so some such t than that the their them then there these they this those through to too under until
up very was we were what when where which while who whom why will with would you your many much
"""
STOP = frozenset(_STOP.split())
_ENDINGS = ("ingly", "edly", "ing", "ies", "ied", "es", "ed", "ly", "s")


def stems(text: str) -> list[str]:
    """Its words but the commonest, lower case, plural and verb endings off."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
