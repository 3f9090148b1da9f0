"""Known-item questions: some words of a sentence, to which the passage that holds it is the answer.

Made from passages of the collection, drawn by a seed, so that anybody can compare two index versions before there is a labelled set.
Only a few of the sentence's words are kept, so that finding it takes more than spelling.
"""

import random
from collections.abc import Sequence

from loopline_retrieval.model import Passage
from loopline_retrieval.versions import Probe, Relevant
from loopline_text import STOP, split

LEAST_WORDS, ASKED_WORDS = 5, 4


def probes_of(passages: Sequence[Passage], count: int, seed: int) -> list[Probe]:
    """At most so many, one per passage; passages without a fitting sentence are passed over."""
    chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated, not a secret
    found: list[Probe] = []
    for passage in passages:
        sentences = [
            (at, text, words) for at, text in split(passage.text) if len(words := _telling(text)) >= LEAST_WORDS
        ]
        if not sentences or len(found) == count:
            continue
        at, text, words = chance.choice(sentences)
        kept = sorted(chance.sample(range(len(words)), ASKED_WORDS))
        question = " ".join(words[place] for place in kept)
        start = passage.place.start + at
        found.append(Probe(question, (Relevant(passage.document, span=(start, start + len(text))),)))
    return found


def _telling(sentence: str) -> list[str]:
    """Words that say something, once each, in order."""
    words = (word.strip(".,;:!?()[]{}\"'“”‘’*_`#|<>=/\\") for word in sentence.split())
    return list(dict.fromkeys(word for word in words if len(word) > 2 and word.lower() not in STOP and word.isalpha()))
