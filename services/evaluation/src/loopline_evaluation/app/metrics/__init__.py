"""Metrics without a judge: they run on every answer. One more is one function and one line in `MODEL_FREE`."""

from loopline_evaluation.app.metrics.case import Case, Metric, scored
from loopline_evaluation.app.metrics.citing import CITATION_COVERAGE, CITATION_PRECISION, QUOTES_VERIFIED
from loopline_evaluation.app.metrics.form import EMPTY, LENGTH, REFUSAL, REPETITION
from loopline_evaluation.app.metrics.support import SUPPORT

MODEL_FREE: tuple[Metric, ...] = (
    SUPPORT,
    CITATION_PRECISION,
    CITATION_COVERAGE,
    QUOTES_VERIFIED,
    REFUSAL,
    EMPTY,
    LENGTH,
    REPETITION,
)

__all__ = ["MODEL_FREE", "Case", "Metric", "scored"]
