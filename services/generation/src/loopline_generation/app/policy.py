"""What the operator decided about answers."""

import hashlib
from dataclasses import dataclass

from loopline_generation.model import Engine, Grounding, Sampling, Usage

DEFAULT_SAMPLING = Sampling(max_tokens=160, temperature=0.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of the core. Times in seconds, prices per million tokens."""

    engine: Engine = Engine.CHAT
    grounding: Grounding = Grounding.STRICT
    model: str = ""
    prompt: str = "short-answer"
    k: int = 8
    # Sentences given to the model; 0: the passages whole.
    sentences: int = 3
    # Quotes shown by strict grounding and by the engine quote.
    quotes: int = 2
    # Strict grounding shows the quotes even when the model's sentences are supported.
    always_quote: bool = True
    # Below this score of the best sentence, retrieval is too weak for an answer.
    threshold: float = 0.68
    sampling: Sampling = DEFAULT_SAMPLING
    history_turns: int = 6
    history_characters: int = 2000
    heartbeat_s: float = 10.0
    at_once: int = 16
    prompt_price: float | None = None
    completion_price: float | None = None

    @property
    def name(self) -> str:
        """`grounding@hash`: two answers with the same one were made under the same rules."""
        return f"{self.grounding}@{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"

    def sampled(self, asked: Sampling) -> Sampling:
        """What the caller asks for; the rest as set here."""
        default = self.sampling
        return Sampling(
            asked.max_tokens or default.max_tokens,
            default.temperature if asked.temperature is None else asked.temperature,
            default.top_p if asked.top_p is None else asked.top_p,
            default.seed if asked.seed is None else asked.seed,
            asked.stop or default.stop,
            asked.json_schema,
            asked.grammar,
        )

    def priced(self, usage: Usage) -> Usage:
        """With its cost, when there are prices."""
        if self.prompt_price is None or self.completion_price is None:
            return usage
        cost = (usage.prompt_tokens * self.prompt_price + usage.completion_tokens * self.completion_price) / 1e6
        return Usage(usage.prompt_tokens, usage.completion_tokens, cost)
