"""Whether sentences stand on the passages they cite, by their words.

A sentence is supported by a passage when most of its telling words (those of the question apart) stand together there, in a sentence and its
neighbours, and all its numbers do. A sentence that cites nothing is held against all passages.
"""

from dataclasses import dataclass

from loopline_evaluation.app import text
from loopline_evaluation.app.metrics.case import Case, Measured, Metric
from loopline_evaluation.app.text import Sentence
from loopline_evaluation.model import Evidence

NEEDED_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Support:
    """How well a passage supports a sentence: `share` of its telling words, 0 when a number is missing; the best place."""

    share: float
    passage: int = 0
    place: int = 0


def support_by(case: Case, sentence: Sentence, passage: int) -> Support:
    """Of a sentence by one passage (its number, from 1)."""
    if not 0 < passage <= len(case.passages):
        return Support(0.0)
    said = frozenset(text.words(sentence.text))
    # Words taken over from the question claim nothing by themselves.
    claims = said - case.asked or said
    if not claims:
        return Support(1.0, passage)
    given = text.numbers(sentence.text)
    inside = case.passages[passage - 1]
    best = Support(0.0, passage)
    own = [frozenset(text.words(one.text)) for one in inside]
    for place in range(len(inside)):
        near = frozenset().union(*own[max(0, place - 1) : place + 2])
        share = len(claims & near) / len(claims)
        if share <= best.share:
            continue
        if given and not given <= text.numbers(" ".join(one.text for one in inside[max(0, place - 1) : place + 2])):
            continue
        best = Support(share, passage, place)
    return best


def best_support(case: Case, sentence: Sentence) -> Support:
    """Of a sentence by what it cites, or by any passage when it cites nothing."""
    among = sentence.cites or range(1, len(case.passages) + 1)
    return max((support_by(case, sentence, number) for number in among), key=lambda one: one.share, default=Support(0))


def _support(case: Case) -> Measured | None:
    if not case.sentences or not case.passages:
        return None
    found = [best_support(case, sentence) for sentence in case.sentences]
    evidence = tuple(
        Evidence(number, support.passage, case.document(support.passage), sentence.text[:200], round(support.share, 3))
        for number, (sentence, support) in enumerate(zip(case.sentences, found, strict=True), 1)
        if support.share < NEEDED_SHARE
    )
    return sum(support.share >= NEEDED_SHARE for support in found) / len(found), evidence


SUPPORT = Metric("support", _support, passes_at=1.0)
