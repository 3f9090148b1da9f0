"""What can be tuned without a build."""

from pathlib import Path

from pydantic import Field, SecretStr

from loopline_generation.app.policy import Policy
from loopline_generation.model import Engine, Grounding, Sampling
from loopline_runtime.settings import Group, ServiceSettings

SHIPPED_PROMPTS = Path(__file__).parent / "prompts"


class Targets(Group):
    """Where the others are: host:port."""

    retrieval: str = "127.0.0.1:50053"
    embedding: str = "127.0.0.1:50052"
    timeout_s: float = 15.0


class Tgi(Group):
    """An OpenAI-compatible server: TGI, vLLM, llama.cpp. The address without /v1; several equal ones with commas."""

    url: str = "http://127.0.0.1:8080"
    key: SecretStr = SecretStr("")
    model: str = ""
    # Until the first word; from word to word.
    timeout_s: float = 60.0
    stall_s: float = 20.0


class Answers(Group):
    """How questions are answered; see the README for each."""

    url: str
    kept_days: float = 30.0
    engine: Engine = Engine.CHAT
    grounding: Grounding = Grounding.STRICT
    prompt: str = "short-answer"
    prompts: Path = SHIPPED_PROMPTS
    k: int = Field(default=8, ge=1, le=50)
    sentences: int = Field(default=3, ge=0)
    quotes: int = Field(default=2, ge=1)
    always_quote: bool = True
    threshold: float = 0.68
    max_tokens: int = Field(default=160, ge=1, le=4096)
    temperature: float = 0.0
    heartbeat_s: float = 10.0
    at_once: int = Field(default=16, ge=1)
    # Per million tokens; both or none.
    prompt_price: float | None = None
    completion_price: float | None = None


class SpoolSettings(Group):
    """Where facts wait for the bus."""

    path: Path
    most_bytes: int = 256 * 1024 * 1024


class Settings(ServiceSettings):
    """Everything; ANSWERS__URL and SPOOL__PATH must be set."""

    targets: Targets = Targets()
    tgi: Tgi = Tgi()
    answers: Answers
    spool: SpoolSettings

    def policy(self) -> Policy:
        """What the core needs of it."""
        given = self.answers
        return Policy(
            engine=given.engine,
            grounding=given.grounding,
            model=self.tgi.model,
            prompt=given.prompt,
            k=given.k,
            sentences=given.sentences,
            quotes=given.quotes,
            always_quote=given.always_quote,
            threshold=given.threshold,
            sampling=Sampling(max_tokens=given.max_tokens, temperature=given.temperature),
            heartbeat_s=given.heartbeat_s,
            at_once=given.at_once,
            prompt_price=given.prompt_price,
            completion_price=given.completion_price,
        )
