"""Text Embeddings Inference as the model: what is too long is refused rather than cut, and a server that changes its model is noticed."""

import json
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx2

from loopline_embedding.model import ModelId, Vector
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable

# What the server says of itself is asked again after so long.
INFO_S = 30.0


class TeiEmbedder:
    """The port `Embedder`. `url`: the server; times in seconds. It must answer when this is made, or Unavailable."""

    def __init__(self, url: str, *, key: str = "", timeout_s: float = 30.0) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=url.rstrip("/"), timeout=timeout_s, headers=headers, trust_env=False)
        self._looking = threading.Lock()
        info = self._info()
        self._most_texts = int(info.get("max_client_batch_size") or 32)
        self._served = _served(info)
        self._looked_at = time.monotonic()
        (vector,) = self._asked(["dimension"])
        self._model = ModelId(*self._served, len(vector) // 4)

    @property
    def model(self) -> ModelId:
        """As `/info` names it: model_id and model_sha."""
        return self._model

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """See the port; but Invalid for a text longer than the model reads. Overloaded, TimedOut, Unavailable otherwise."""
        self._same_model()
        found: list[Vector] = []
        for start in range(0, len(texts), self._most_texts):
            found += self._asked(texts[start : start + self._most_texts])
        return found

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _same_model(self) -> None:
        """Vectors of two models are never mixed: Unavailable while the server serves another one."""
        with self._looking:
            if time.monotonic() - self._looked_at < INFO_S:
                return
            now = _served(self._info())
            if now != self._served:
                told = f"TEI serves {now[0]} {now[1]} now, not {self._served[0]} {self._served[1]}"
                raise Unavailable(
                    f"{told}: start this service again to serve it as a model of its own", reason="OTHER_MODEL"
                )
            self._looked_at = time.monotonic()

    def _asked(self, texts: Sequence[str]) -> list[Vector]:
        try:
            reply = self._http.post("/embed", json={"inputs": list(texts), "truncate": False, "normalize": True})
            vectors = _read(reply)
        except (httpx2.TransportError, ValueError) as error:
            self._looked_at = float("-inf")  # whoever answers next may be another one
            raise told(error) from error
        if not isinstance(vectors, list) or len(vectors) != len(texts):
            raise Unavailable(
                "TEI answers with another number of vectors than it was given texts", reason="MODEL_FAILED"
            )
        return [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]

    def _info(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = _read(self._http.get("/info"))
        except (httpx2.TransportError, ValueError) as error:
            raise told(error) from error
        return said


def told(error: Exception) -> LooplineError:
    """A failure on the way."""
    if isinstance(error, httpx2.TimeoutException):
        return TimedOut("TEI took too long", reason="MODEL_TIMED_OUT")
    return Unavailable(f"TEI cannot be reached or is not one: {error}", reason="MODEL_UNAVAILABLE")


def _read(reply: httpx2.Response) -> Any:
    """The answer, or what its status means: 413 and 422 blame the texts, 429 is a full server, 424 a failing model behind it."""
    if reply.status_code == httpx2.codes.OK:
        return reply.json()
    try:
        message = str(json.loads(reply.text).get("error", ""))[:300]
    except (ValueError, AttributeError):
        message = reply.text[:300]
    match reply.status_code:
        case 413:
            raise Invalid(f"TEI refuses: {message}", reason="TOO_LONG", field="texts")
        case 400 | 422:
            raise Invalid(f"TEI refuses: {message}", reason="MODEL_REFUSED", field="texts")
        case 429:
            raise Overloaded("TEI is full", reason="MODEL_OVERLOADED", retry_after_s=1)
        case _:
            raise Unavailable(f"TEI failed with {reply.status_code}: {message}", reason="MODEL_FAILED")


def _served(info: dict[str, Any]) -> tuple[str, str]:
    return str(info.get("model_id", "")), str(info.get("model_sha") or "")
