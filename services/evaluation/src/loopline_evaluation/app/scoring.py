"""An answer comes in, is scored by every metric that needs no judge, and is kept."""

from dataclasses import replace

import numpy as np

from loopline_evaluation.app.metrics import EMBEDDED, MODEL_FREE, Case, scored, texts_of
from loopline_evaluation.app.metrics.case import OWN
from loopline_evaluation.app.sampling import Sampling
from loopline_evaluation.model import Answer, Kept, Missing, Reason, Score
from loopline_evaluation.ports import Answers, Attention, Embedder, Functions
from loopline_runtime.errors import LooplineError


class Scoring:
    """What is done to every answer."""

    def __init__(
        self,
        answers: Answers,
        embedder: Embedder,
        sampling: Sampling,
        own: Functions | None = None,
        attention: Attention | None = None,
    ) -> None:
        self._answers = answers
        self._embedder = embedder
        self._sampling = sampling
        self._own = own
        self._attention = attention

    async def score(self, kept: Kept) -> list[Score]:
        """Its scores, which are kept by then. The same answer again gives the same scores."""
        scores = await self.scores(kept.answer)
        judging = self._sampling.decide(kept.answer, scores)
        done = replace(kept, scores=tuple(scores), judging=judging)
        await self._answers.put(done)
        if self._attention:
            await self._attention.consider(done)
        return scores

    async def scores(self, answer: Answer) -> list[Score]:
        """All metrics without a judge, one's own last. Where the embedding service is away, what needs it is missing."""
        return [*await self.ruled(answer), *(await self._own.scores(answer) if self._own else ())]

    async def ruled(self, answer: Answer) -> list[Score]:
        """All of the service's own."""
        case = Case(answer)
        texts = texts_of(case) if answer.readable else []
        try:
            vectors = await self._embedder.embed(answer.tenant, texts) if texts else []
        except LooplineError as error:
            missing = Missing(Reason.UNAVAILABLE, f"the embedding service: {error}")
            without = [Score(metric.name, None, metric.scale, OWN, missing=missing) for metric in EMBEDDED]
            return [*scored(case, MODEL_FREE), *without]
        read = {said: np.frombuffer(vector, "<f4") for said, vector in zip(texts, vectors, strict=True)}
        case.vectors = read
        return scored(case, (*MODEL_FREE, *EMBEDDED))
