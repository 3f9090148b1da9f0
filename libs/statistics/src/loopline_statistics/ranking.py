"""How well a ranking puts what is relevant first: trec_eval's own figures, by way of ir-measures."""

from collections.abc import Iterable, Mapping, Sequence

import ir_measures

Ranking = Sequence[str]
Relevance = Mapping[str, int] | Iterable[str]


def ndcg(ranking: Ranking, relevant: Relevance, *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first k, 0 to 1; the gain of an item is its grade (1 where none is given)."""
    return _measured(ir_measures.nDCG @ k, ranking, relevant)


def recall(ranking: Ranking, relevant: Relevance, *, k: int = 10) -> float:
    """The share of all relevant items that is among the first k."""
    return _measured(ir_measures.R @ k, ranking, relevant)


def reciprocal_rank(ranking: Ranking, relevant: Relevance, *, k: int = 10) -> float:
    """One over the place of the first relevant item, 0 when none is among the first k; its mean over questions is MRR."""
    return _measured(ir_measures.RR @ k, ranking, relevant)


def _measured(measure: ir_measures.Measure, ranking: Ranking, relevant: Relevance) -> float:
    """One question. `ranking` lists ids, best first, each once; nothing relevant at all raises: the figure is not defined."""
    grades = dict(relevant) if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1)
    if not any(grade > 0 for grade in grades.values()):
        raise ValueError("a ranking is measured against at least one relevant item")
    if len(set(ranking)) != len(ranking):
        raise ValueError("a ranking names each item once")
    if not ranking:
        return 0.0
    scores = {item: float(len(ranking) - place) for place, item in enumerate(ranking)}
    return float(ir_measures.calc_aggregate([measure], {"q": grades}, {"q": scores})[measure])
