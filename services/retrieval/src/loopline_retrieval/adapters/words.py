"""A question as its telling words, and as an FTS5 expression: those words, quoted, any of them; never its punctuation."""

import re

_WORD = re.compile(r"\w+")
# Words that stand in most English sentences; they would only cost time.
_STOP = """
a about above after again all also am an and any are as at be because been before being below between both but by can could did do
does doing down during each few for from further had has have having he her here hers him his how i if in into is it its itself just
me more most my no nor not of off on once only or other our out over own s same she should so some such t than that the their them
then there these they this those through to too under until up very was we were what when where which while who whom why will with
would you your
"""
STOP = frozenset(_STOP.split())
MOST_WORDS = 64


def telling(question: str) -> list[str]:
    """The words to look for, in lower case, each once, at most 64; when there are only stop words, those."""
    words = list(dict.fromkeys(_WORD.findall(question.lower())))
    return ([word for word in words if word not in STOP] or words)[:MOST_WORDS]


def match_expression(question: str) -> str:
    """Empty when the question has no word at all."""
    return " OR ".join(f'"{word}"' for word in telling(question))
