"""Model servers behind one model: which of them is asked next, what each says of itself, and how often a failure may be tried again."""

import itertools
import time
from dataclasses import dataclass, field

import httpx2

from loopline_generation.ports import ModelInfo

# A server that failed is asked last for so long; what it says of itself is asked again after so long.
AWAY_S, INFO_S = 5.0, 60.0
LIMITS = ("max_input_tokens", "max_total_tokens", "max_concurrent_requests")


@dataclass
class Server:
    """One address, without `/v1`."""

    url: str
    busy: int = 0
    away_until: float = 0.0
    _info: ModelInfo | None = None
    _asked_at: float = field(default=float("-inf"), repr=False)

    def failed(self) -> None:
        """It is asked last for a while, and may come back as another model."""
        self.away_until = time.monotonic() + AWAY_S
        self._asked_at = float("-inf")

    async def info(self) -> ModelInfo:
        """TGI says it at /info, others at /v1/models; empty, or the last known, when it does not say."""
        if time.monotonic() - self._asked_at > INFO_S:
            try:
                async with httpx2.AsyncClient(base_url=self.url, timeout=2.0, trust_env=False) as http:
                    self._info = await _asked(http)
                    self._asked_at = time.monotonic()
            except (httpx2.HTTPError, ValueError):
                return self._info or ModelInfo()
        return self._info or ModelInfo()


class Servers:
    """Equal servers; the least busy is asked, in turn, those that failed last."""

    def __init__(self, urls: str) -> None:
        self._servers = [Server(url.strip().rstrip("/")) for url in urls.split(",") if url.strip()]
        self._turn = itertools.count()

    def __len__(self) -> int:
        return len(self._servers)

    def next(self, tried: list[Server]) -> Server:
        """One that was not tried, as long as there is one."""
        now, turn, count = time.monotonic(), next(self._turn), len(self._servers)
        ranked = sorted(
            range(count),
            key=lambda place: (
                tried.count(self._servers[place]),
                self._servers[place].away_until > now,
                self._servers[place].busy,
                (place - turn) % count,
            ),
        )
        return self._servers[ranked[0]]


class Budget:
    """Trying again costs one, each call earns a fifth: when everything fails, a fifth more is asked and not three times as much."""

    def __init__(self, most: float = 10.0, earned: float = 0.2) -> None:
        self._left, self._most, self._earned = most, most, earned

    def called(self) -> None:
        """A first try."""
        self._left = min(self._most, self._left + self._earned)

    def again(self) -> bool:
        """Whether one more try is within the budget; it is taken off."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def _asked(http: httpx2.AsyncClient) -> ModelInfo:
    reply = await http.get("/info")
    if reply.status_code == httpx2.codes.OK:
        said = reply.json()
        limits = [f"{name}={said[name]}" for name in LIMITS if name in said]
        server = " ".join(
            [f"{said.get('router', 'text-generation-router')} {said.get('version', '')}".strip(), *limits]
        )
        return ModelInfo(str(said.get("model_id", "")), str(said.get("model_sha") or ""), server, is_tgi=True)
    reply = await http.get("/v1/models")
    models = reply.json().get("data") or [{}]
    owner = str(models[0].get("owned_by", ""))
    # `created` is when the question was answered, on llama.cpp and vLLM: no revision.
    return ModelInfo(str(models[0].get("id", "")), "", owner)
