"""Metrics of an answer against what its row says is right. One more is one function and one line in `TASKS`."""

from loopline_evaluation.tasks.overlap import BLEU_SCORE, CHRF_SCORE, EXACT_MATCH, HOLDS_REFERENCE, ROUGE_L, TOKEN_F1
from loopline_evaluation.tasks.replied import CHOICE, OVER_REFUSAL, REFUSES_UNANSWERABLE
from loopline_evaluation.tasks.retrieved import MRR, NDCG, RECALL
from loopline_evaluation.tasks.task import Task

TASKS: tuple[Task, ...] = (
    EXACT_MATCH,
    TOKEN_F1,
    HOLDS_REFERENCE,
    BLEU_SCORE,
    ROUGE_L,
    CHRF_SCORE,
    REFUSES_UNANSWERABLE,
    OVER_REFUSAL,
    CHOICE,
    NDCG,
    RECALL,
    MRR,
)

__all__ = ["TASKS", "Task"]
