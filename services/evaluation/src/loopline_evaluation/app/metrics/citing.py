"""Whether citations hold: of those given, how many support their sentence; of the sentences, how many have one; are quotations verbatim; do they lie
near the question?
"""

from loopline_evaluation.app import text
from loopline_evaluation.app.metrics.case import Case, Measured, Metric
from loopline_evaluation.app.metrics.support import NEEDED_SHARE, support_by
from loopline_evaluation.model import Evidence, Scale

# An answer that stands on passages so much further from the question (cosine) answers another one, most often.
FAR_ASIDE = 0.1


def _precision(case: Case) -> Measured | None:
    given = [(place, number) for place, one in enumerate(case.sentences, 1) for number in one.cites]
    if not given:
        return None
    shares = [support_by(case, case.sentences[place - 1], number).share for place, number in given]
    evidence = tuple(
        Evidence(place, number, case.document(number), f"[{number}] does not support this sentence", round(share, 3))
        for (place, number), share in zip(given, shares, strict=True)
        if share < NEEDED_SHARE
    )
    return sum(share >= NEEDED_SHARE for share in shares) / len(shares), evidence


def _coverage(case: Case) -> Measured | None:
    if not case.sentences or not case.passages:
        return None
    bare = [
        place
        for place, one in enumerate(case.sentences, 1)
        if not any(0 < number <= len(case.passages) for number in one.cites)
    ]
    return 1 - len(bare) / len(case.sentences), tuple(Evidence(place, note="cites nothing") for place in bare)


def _quotes(case: Case) -> Measured | None:
    found = text.quotes(case.answer.text)
    if not found:
        return None
    everything = [text.plain(passage.text) for passage in case.answer.passages]
    false = [quote for quote in found if not any(text.plain(quote) in whole for whole in everything)]
    return 1 - len(false) / len(found), tuple(Evidence(note=f"stands in no passage: {quote[:160]}") for quote in false)


def _gap(case: Case) -> Measured | None:
    cosines = [passage.cosine for passage in case.answer.passages]
    cited = {number for one in case.sentences for number in one.cites if 0 < number <= len(cosines)}
    if not cited or not any(cosines):
        return None
    best = cosines.index(max(cosines)) + 1
    gap = cosines[best - 1] - max(cosines[number - 1] for number in cited)
    told = Evidence(0, best, case.document(best), "is nearer to the question than what is cited", round(gap, 3))
    return gap, (told,) if gap > FAR_ASIDE else ()


CITATION_GAP = Metric("citation_gap", _gap, passes_at=FAR_ASIDE, scale=Scale(0.0, 2.0, lower_is_better=True))
CITATION_PRECISION = Metric("citation_precision", _precision, passes_at=1.0)
CITATION_COVERAGE = Metric("citation_coverage", _coverage, passes_at=0.5)
QUOTES_VERIFIED = Metric("quotes_verified", _quotes, passes_at=1.0)
