"""What vectors say: does each sentence mean what its source says, does the answer speak of what was asked, do the passages?

A sentence that stands verbatim in what it cites needs no vector; for the others the place of most common words is compared, and a few more
where words do not tell (another language). So an answer costs some two to eight short texts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loopline_evaluation.app import text
from loopline_evaluation.app.metrics.case import Case, Measured, Metric, Vector
from loopline_evaluation.app.metrics.support import best_support
from loopline_evaluation.app.text import Sentence
from loopline_evaluation.model import Evidence, Outcome, Scale

# From here on words have found the place; below, so many sentences are looked at.
TELLING_SHARE, MOST_LOOKED_AT, MOST_SENTENCES, MOST_CHARACTERS = 0.3, 6, 8, 400
MEANS_THE_SAME = 0.6
# Fewer telling words have no meaning of their own to compare: "It is Paris." is near to nothing.
LEAST_WORDS = 5
_COSINE = Scale(-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A sentence and a place it may stand on."""

    sentence: int
    passage: int
    said: str
    source: str

    def cosine(self, vectors: Mapping[str, Vector]) -> float:
        return 1.0 if self.said == self.source else float(vectors[self.said] @ vectors[self.source])


def texts_of(case: Case) -> list[str]:
    """What must be embedded before `meaning` metrics can be measured."""
    if case.refuses or not case.sentences or case.answer.outcome is not Outcome.COMPLETED:
        return []
    pairs = [pair for pair in _pairs(case) if pair.said != pair.source]
    wanted = [_asked(case), _answered(case), *(side for pair in pairs for side in (pair.said, pair.source))]
    return list(dict.fromkeys(wanted))


def _support(case: Case) -> Measured | None:
    best: dict[int, tuple[float, _Pair]] = {}
    for pair in _pairs(case):
        cosine = pair.cosine(case.vectors)
        if cosine > best.get(pair.sentence, (-2.0, pair))[0]:
            best[pair.sentence] = cosine, pair
    if not best:
        return None
    evidence = tuple(
        Evidence(number, pair.passage, case.document(pair.passage), pair.said[:200], round(cosine, 3))
        for number, (cosine, pair) in sorted(best.items())
        if cosine < MEANS_THE_SAME
    )
    return 1 - len(evidence) / len(best), evidence


def _similarity(case: Case) -> Measured | None:
    if not _tells(case.answer.text):
        return None
    return float(case.vectors[_asked(case)] @ case.vectors[_answered(case)]), ()


def _relevance(case: Case) -> Measured | None:
    cosines = [passage.cosine for passage in case.answer.passages]
    if not any(cosines):
        return None
    best = cosines.index(max(cosines)) + 1
    return cosines[best - 1], (Evidence(0, best, case.document(best), "is nearest to the question"),)


def _tells(said: str) -> bool:
    return len(text.words(text.plain(said))) >= LEAST_WORDS


def _asked(case: Case) -> str:
    return case.answer.question[:MOST_CHARACTERS]


def _answered(case: Case) -> str:
    return text.plain(case.answer.text)[:MOST_CHARACTERS]


def _pairs(case: Case) -> Iterator[_Pair]:
    whole = {number: text.plain(passage.text) for number, passage in enumerate(case.answer.passages, 1)}
    for place, sentence in enumerate(case.sentences[:MOST_SENTENCES], 1):
        said = text.plain(sentence.text)[:MOST_CHARACTERS]
        if not _tells(said):
            continue
        cited = [number for number in sentence.cites or whole if number in whole]
        verbatim = next((number for number in cited if said.strip('"') in whole[number]), None)
        if verbatim is not None:
            yield _Pair(place, verbatim, said, said)
            continue
        for passage, source in _candidates(case, sentence, cited):
            yield _Pair(place, passage, said, source)


def _candidates(case: Case, sentence: Sentence, cited: Sequence[int]) -> Iterable[tuple[int, str]]:
    support = best_support(case, sentence)
    if support.share >= TELLING_SHARE and case.passages[support.passage - 1]:
        return [(support.passage, case.passages[support.passage - 1][support.place].text[:MOST_CHARACTERS])]
    inside = [(number, one.text[:MOST_CHARACTERS]) for number in cited for one in case.passages[number - 1]]
    return inside[:MOST_LOOKED_AT]


SUPPORT_MEANING = Metric("support_meaning", _support, passes_at=1.0)
ANSWER_SIMILARITY = Metric("answer_similarity", _similarity, passes_at=0.3, scale=_COSINE)
CONTEXT_RELEVANCE = Metric("context_relevance", _relevance, passes_at=0.3, scale=_COSINE)
