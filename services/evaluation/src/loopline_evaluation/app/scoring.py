"""An answer comes in, is scored by every metric that needs no judge, and is kept."""

from loopline_evaluation.app.metrics import MODEL_FREE, Case, scored
from loopline_evaluation.model import Kept, Score
from loopline_evaluation.ports import Answers


class Scoring:
    """What is done to every answer."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def score(self, kept: Kept) -> list[Score]:
        """Its scores, which are kept by then. The same answer again gives the same scores."""
        scores = scored(Case(kept.answer), MODEL_FREE)
        await self._answers.put(Kept(kept.answer, kept.fact, tuple(scores)))
        return scores
