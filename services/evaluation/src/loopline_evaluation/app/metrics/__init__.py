"""Metrics without a judge: they run on every answer. One more is one function and one line here."""

from loopline_evaluation.app.metrics.case import Case, Metric, scored
from loopline_evaluation.app.metrics.citing import CITATION_COVERAGE, CITATION_GAP, CITATION_PRECISION, QUOTES_VERIFIED
from loopline_evaluation.app.metrics.form import EMPTY, LENGTH, REFUSAL, REPETITION
from loopline_evaluation.app.metrics.language import LANGUAGE_MATCH
from loopline_evaluation.app.metrics.meaning import ANSWER_SIMILARITY, CONTEXT_RELEVANCE, SUPPORT_MEANING, texts_of
from loopline_evaluation.app.metrics.obeying import OBEYED_INSTRUCTION
from loopline_evaluation.app.metrics.support import SUPPORT

# By words and form alone.
MODEL_FREE: tuple[Metric, ...] = (
    SUPPORT,
    CITATION_PRECISION,
    CITATION_COVERAGE,
    CITATION_GAP,
    QUOTES_VERIFIED,
    CONTEXT_RELEVANCE,
    REFUSAL,
    EMPTY,
    LANGUAGE_MATCH,
    LENGTH,
    REPETITION,
    OBEYED_INSTRUCTION,
)
# These need `Case.vectors` of `texts_of(case)`.
EMBEDDED: tuple[Metric, ...] = (SUPPORT_MEANING, ANSWER_SIMILARITY)

__all__ = ["EMBEDDED", "MODEL_FREE", "Case", "Metric", "scored", "texts_of"]
