"""What an answer looks like: empty, declining, long, repeating itself."""

from loopline_evaluation.app import text
from loopline_evaluation.app.metrics.case import Case, Measured, Metric
from loopline_evaluation.model import Evidence, Scale

# Generation's own threshold: from here on the passages answer the question nearly always.
ANSWERABLE = 0.68
_LOWER = Scale(lower_is_better=True)
_GRAM = 4


def _refusal(case: Case) -> Measured:
    if not case.refuses:
        return 0.0, ()
    good = case.answer.answerability >= ANSWERABLE
    note = "it declines although the passages bear on the question" if good else "it declines; so do the passages"
    # Declining what the documents do not answer is right: half-way, which passes.
    return (1.0 if good else 0.5), (Evidence(note=note),)


def _empty(case: Case) -> Measured:
    return (0.0 if case.sentences else 1.0), ()


def _length(case: Case) -> Measured:
    return float(len(text.plain(case.answer.text).split())), ()


def _repetition(case: Case) -> Measured | None:
    # A quotation may well say again what the answer says.
    said = " ".join(one.text for one in case.sentences if one.text[:1] not in '“"').lower().split()
    grams = [tuple(said[place : place + _GRAM]) for place in range(len(said) - _GRAM + 1)]
    if not grams:
        return None
    seen: set[tuple[str, ...]] = set()
    repeated = 0
    for gram in grams:
        repeated += gram in seen
        seen.add(gram)
    return repeated / len(grams), ()


REFUSAL = Metric("refusal", _refusal, passes_at=0.5, scale=_LOWER, of_refusals=True)
EMPTY = Metric("empty", _empty, passes_at=0.5, scale=_LOWER, of_refusals=True)
LENGTH = Metric("length", _length, passes_at=None, scale=Scale(0, 0), of_refusals=True)
REPETITION = Metric("repetition", _repetition, passes_at=0.3, scale=_LOWER)
