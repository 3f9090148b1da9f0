"""Whether a sentence of an answer stands on the passages.

A sentence is supported by a passage when most of its telling words stand together in it (within a window of its sentences) and every
number and name in it does, too. Lexical on purpose: it costs microseconds, and says the same each time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from loopline_generation.app.citations import numbers_in, without
from loopline_generation.app.sentences import Sentence
from loopline_text import stems

NEEDED_SHARE = 0.6
_NUMBER = re.compile(r"\d[\d.,]*")
# A capital that does not begin the sentence makes a name.
_NAME = re.compile(r"(?<=[\w,;:)\"”] )[A-Z]\w+")
# The end of a sentence in a stream: punctuation with white space behind it, or a line's end.
_END = re.compile(r"[.!?…][\"'”’)\]]*(?:\s?\[[\d,\s]+\])*\s|\n")


@dataclass(frozen=True, slots=True)
class Support:
    """Which sentence of which passage supports it best, and by which share of words."""

    sentence: Sentence
    share: float


class Evidence:
    """The sentences of the passages, ready to be compared with."""

    def __init__(self, sentences: Sequence[Sentence], question: str) -> None:
        self._sentences = sentences
        self._words = [frozenset(stems(sentence.text)) for sentence in sentences]
        self._asked = frozenset(stems(question))

    def supports(self, sentence: str) -> Support | None:
        """The best support among the passages it cites (all, when it cites none); None when nothing supports it."""
        cited = set(numbers_in(sentence))
        plain = without(sentence)
        words = frozenset(stems(plain))
        # Words taken over from the question claim nothing by themselves.
        claims = words - self._asked or words
        if not claims:
            return None
        names = frozenset(stems(" ".join(_NAME.findall(plain)))) - self._asked
        best: Support | None = None
        for place, evidence in enumerate(self._sentences):
            if cited and evidence.number not in cited:
                continue
            near = self._near(place)
            share = len(claims & near) / len(claims)
            if share >= NEEDED_SHARE and names <= near and self._numbers_stand(plain, place):
                own = len(claims & self._words[place]) / len(claims)
                if best is None or share + own > best.share:
                    best = Support(evidence, share + own)
        return best

    def _near(self, place: int) -> frozenset[str]:
        """The words of a sentence and of its neighbours in the passage."""
        number = self._sentences[place].number
        near = self._words[place]
        for other in (place - 1, place + 1):
            if 0 <= other < len(self._sentences) and self._sentences[other].number == number:
                near = near | self._words[other]
        return near

    def _numbers_stand(self, sentence: str, place: int) -> bool:
        given = {n.rstrip(".,") for n in _NUMBER.findall(sentence)}
        if not given:
            return True
        number = self._sentences[place].number
        near = " ".join(
            self._sentences[other].text
            for other in (place - 1, place, place + 1)
            if 0 <= other < len(self._sentences) and self._sentences[other].number == number
        )
        return given <= {n.rstrip(".,") for n in _NUMBER.findall(near)}


class Sentences:
    """Parts a stream into whole sentences."""

    def __init__(self) -> None:
        self._held = ""

    def passed(self, text: str) -> list[str]:
        """The sentences that are whole by now, with the white space behind them."""
        self._held += text
        found = []
        while match := _END.search(self._held):
            found.append(self._held[: match.end()])
            self._held = self._held[match.end() :]
        return found

    def rest(self) -> str:
        """The last one, at the end."""
        rest, self._held = self._held, ""
        return rest
