"""Questions from passages without a model: a sentence with its most telling word left out (known-item cloze).

The word is the rarest over all passages that is a number or capitalised inside its sentence; such a row is marked as synthetic.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from loopline_evaluation.datasets.rows import Origin, Reference, Row, derived_id

GAP = "____"
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]")
_WORD = re.compile(r"[\w][\w'’-]*")
_FEWEST_WORDS, _MOST_WORDS = 6, 40


def cloze(passages: Sequence[Reference], count: int) -> list[Row]:
    """At most `count` rows, at most one a sentence, spread over the passages; the same passages give the same rows."""
    seen = Counter(word for passage in passages for word in {found.lower() for found in _WORD.findall(passage.text)})
    per_passage = [_questions(passage, seen, len(passages)) for passage in passages]
    rows: dict[str, Row] = {}
    for turn in range(max(map(len, per_passage), default=0)):
        for questions in per_passage:
            if turn < len(questions) and len(rows) < count:
                rows.setdefault(questions[turn].id, questions[turn])
    return list(rows.values())


def _questions(passage: Reference, seen: Counter[str], passages: int) -> list[Row]:
    found: list[tuple[float, Row]] = []
    for match in _SENTENCE.finditer(passage.text):
        sentence = " ".join(match[0].split())
        words = list(_WORD.finditer(sentence))
        if not _FEWEST_WORDS <= len(words) <= _MOST_WORDS:
            continue
        telling = [
            (math.log(passages / seen[word[0].lower()]), word)
            for word in words[1:]
            if any(letter.isdigit() for letter in word[0]) or word[0][0].isupper()
        ]
        if not telling:
            continue
        weight, word = max(telling, key=lambda one: (one[0], -one[1].start()))
        asked = f"Which word or number is left out? “{sentence[: word.start()]}{GAP}{sentence[word.end() :]}”"
        origin = Origin("generated", "cloze", synthetic=True)
        found.append(
            (weight, Row(derived_id(asked, [passage]), asked, (word[0],), (passage,), (), True, ("cloze",), {}, origin))
        )
    return [row for _, row in sorted(found, key=lambda one: -one[0])]
