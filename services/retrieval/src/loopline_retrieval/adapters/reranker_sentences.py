"""Reranking by the best sentence of each passage: what answers a question is mostly one sentence, and a passage's vector blurs it."""

from collections.abc import Sequence

from loopline_retrieval.model import Model, Passage, Vector
from loopline_retrieval.ports import Questions
from loopline_text import Lexical, bearings, split


class SentenceReranker:
    """The port `Reranker`: the fused score plus how well the best sentence, under its document's title, bears on the question.

    Costs an embedding of each sentence of the ten best passages: some tenths of a second on a CPU.
    """

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def scores(self, question: str, vector: Vector, model: Model, passages: Sequence[Passage]) -> Sequence[float]:
        """See the port."""
        sentences = [
            (place, passage.title, text) for place, passage in enumerate(passages) for _, text in split(passage.text)
        ]
        vectors = await self._questions.embed_all([text for _, _, text in sentences], model)
        shares = Lexical([f"{title} {text}" for _, title, text in sentences]).shares(question)
        best = [0.0] * len(passages)
        for (place, _, _), bearing in zip(sentences, bearings(vector, vectors, shares), strict=True):
            best[place] = max(best[place], bearing)
        return [passage.scores.fused + bearing for passage, bearing in zip(passages, best, strict=True)]
