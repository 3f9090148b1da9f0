"""How two rankings become one.

0.7 cosine + 0.3 BM25 over the question's highest BM25, over the union of both queries' best hundred; on SciFact this ranks better
than either, and better than reciprocal rank fusion.
"""

from collections.abc import Mapping, Sequence

from loopline_retrieval.model import Hit, Row, Scores

CANDIDATES = 100
COSINE_WEIGHT, KEYWORD_WEIGHT = 0.7, 0.3


def fused(cosines: Mapping[Row, float], keyword: Sequence[Hit]) -> dict[Row, Scores]:
    """The scores of each row. `cosines` holds all rows of the union; a row without a term in common has keyword 0."""
    highest = max((hit.score for hit in keyword), default=0.0)
    scaled = {hit.row: hit.score / highest for hit in keyword} if highest > 0 else {}
    return {
        row: Scores(COSINE_WEIGHT * cosine + KEYWORD_WEIGHT * scaled.get(row, 0.0), cosine, scaled.get(row, 0.0))
        for row, cosine in cosines.items()
    }


def hopeful(cosines: Mapping[Row, float], keyword: Sequence[Hit], k: int) -> list[Hit]:
    """Hits of the keyword query alone that can still be among the best k: none is nearer than the last of the nearest hundred.

    For the others nobody needs to ask how near they are, which saves most searches a question to the store.
    """
    missing = [hit for hit in keyword if hit.row not in cosines]
    if not missing or len(cosines) < CANDIDATES:
        return missing
    best = sorted((scores.fused for scores in fused(cosines, keyword).values()), reverse=True)
    if len(best) < k:
        return missing
    nearest_left, highest = min(cosines.values()), max(hit.score for hit in keyword)
    least = (best[k - 1] - COSINE_WEIGHT * nearest_left) * highest / KEYWORD_WEIGHT
    return [hit for hit in missing if hit.score >= least]
