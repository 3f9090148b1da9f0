"""How well retrieval found the reference passages, by trec_eval's figures over the first ten passages.

A passage found is a reference passage when it is its chunk; where that is not known, when it has its text (one holds the other, or half of the
reference's words stand in it in order of four); where there is no text, when it comes from its document. Each reference is found once.
"""

from importlib.metadata import version

from loopline_evaluation.app import text
from loopline_evaluation.datasets.rows import Reference
from loopline_evaluation.model import Evaluator, Passage
from loopline_evaluation.tasks.task import Replied, Task
from loopline_statistics import ndcg, recall, reciprocal_rank

K, _GRAM, _NEEDED = 10, 4, 0.5


def ranking(replied: Replied) -> tuple[list[str], list[str]]:
    """Names of what was found, best first, and of what there was to find."""
    wanted = {f"reference {place}": one for place, one in enumerate(replied.row.passages)}
    open_, found = dict(wanted), []
    for place, passage in enumerate(replied.case.answer.passages):
        name = next((name for name, one in open_.items() if _is(passage, one)), f"other {place}")
        open_.pop(name, None)
        found.append(name)
    return found, list(wanted)


def _is(passage: Passage, reference: Reference) -> bool:
    if reference.chunk and reference.chunk == passage.chunk_id:
        return True
    if reference.text:
        return _same_text(passage.text, reference.text)
    if reference.chunk:
        return False
    return bool(
        (reference.document and reference.document == passage.document)
        or (reference.source and reference.source == passage.source)
    )


def _same_text(found: str, wanted: str) -> bool:
    one, other = text.plain(found), text.plain(wanted)
    if one and other and (one in other or other in one):
        return True
    grams = _grams(other)
    return bool(grams) and len(grams & _grams(one)) / len(grams) >= _NEEDED


def _grams(said: str) -> set[tuple[str, ...]]:
    words = said.lower().split()
    return {tuple(words[place : place + _GRAM]) for place in range(len(words) - _GRAM + 1)}


def _ndcg(replied: Replied) -> float | None:
    return ndcg(*ranking(replied), k=K) if replied.row.passages else None


def _recall(replied: Replied) -> float | None:
    return recall(*ranking(replied), k=K) if replied.row.passages else None


def _mrr(replied: Replied) -> float | None:
    return reciprocal_rank(*ranking(replied), k=K) if replied.row.passages else None


_NEEDS, _BY = "reference passages", Evaluator("ir-measures", version("ir-measures"))
NDCG = Task("ndcg_at_10", _ndcg, _NEEDS, _BY)
RECALL = Task("recall_at_10", _recall, _NEEDS, _BY)
MRR = Task("mrr_at_10", _mrr, _NEEDS, _BY)
