"""Whether it answered at all when it should, and chose the right one."""

from loopline_evaluation.model import Scale
from loopline_evaluation.tasks.task import Replied, Task


def _refuses(replied: Replied) -> float | None:
    return None if replied.row.answerable is not False else float(replied.case.refuses)


def _over(replied: Replied) -> float | None:
    known = replied.row.answerable is True or (replied.row.answerable is None and bool(replied.row.references))
    return float(replied.case.refuses) if known else None


def _choice(replied: Replied) -> float | None:
    if replied.chosen is None or not replied.row.choices:
        return None
    return float(replied.row.choices[replied.chosen] in replied.row.references)


REFUSES_UNANSWERABLE = Task("refuses_unanswerable", _refuses, "a row marked as not answerable")
OVER_REFUSAL = Task("over_refusal", _over, "a row that can be answered", scale=Scale(lower_is_better=True))
CHOICE = Task("choice", _choice, "a row with choices, and a target that tells log-probabilities")
