"""A model that writes questions about passages."""

import json

from loopline_evaluation.adapters.endpoint import Endpoint
from loopline_runtime.errors import Rejected

_ASKED = (
    "Write one question that a reader would ask and that the text below answers, and the answer in the words of the text. "
    'The question must be understood without seeing the text. Reply with JSON only: {"question": "...", "answer": "..."}\n\nText:\n'
)


class WriterOpenAi:
    """The port `Writer`. Without a url no model is configured."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._name = (endpoint.model or "model") if endpoint.url else ""

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    async def question(self, passage: str, seed: int) -> tuple[str, str] | None:
        """See the port. What is no question, or whose answer is not in the text, is of no use."""
        try:
            said = await self._endpoint.chat(
                [{"role": "user", "content": _ASKED + passage}], seed=seed, temperature=0.7, max_tokens=200
            )
            told = json.loads(said.text[said.text.index("{") : said.text.rindex("}") + 1])
            question, answer = str(told["question"]).strip(), str(told["answer"]).strip()
        except (Rejected, ValueError, KeyError, TypeError):
            return None
        said_there = " ".join(answer.lower().rstrip(".").split()) in " ".join(passage.lower().split())
        return (question, answer) if len(question) > 10 and answer and said_there else None
