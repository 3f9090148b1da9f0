"""TEI's answers and refusals, told in ours; over a server that keeps its contract, and a real one where `--tei-url` names it."""

import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from loopline_embedding.adapters import tei
from loopline_embedding.adapters.tei import TeiEmbedder
from loopline_embedding.model import ModelId
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable
from loopline_testing.fixtures import NOT_RUN
from loopline_testing.nats import free_port

MOST_WORDS, MOST_TEXTS = 8, 4


class Contract:
    """What a test changes, and what was asked. Statuses and bodies as TEI's own."""

    def __init__(self) -> None:
        self.info = {"model_id": "acme/words", "model_sha": "r1", "max_client_batch_size": MOST_TEXTS}
        self.fails: tuple[int, str] | None = None
        self.batches: list[int] = []
        self.silent = threading.Event()

    def answer(self, request: dict[str, Any]) -> tuple[int, Any]:
        inputs = request["inputs"]
        self.batches.append(len(inputs))
        if self.fails:
            return self.fails[0], {"error": self.fails[1], "error_type": "x"}
        if len(inputs) > MOST_TEXTS:
            return 413, {"error": f"batch size {len(inputs)} > maximum allowed batch size {MOST_TEXTS}"}
        if not request["truncate"] and any(len(text.split()) > MOST_WORDS for text in inputs):
            return 413, {"error": f"Input validation error: `inputs` must have less than {MOST_WORDS} tokens"}
        return 200, [[float(len(text)), 1.0, 0.0] for text in inputs]


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture
def url(contract: Contract) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200, contract.info)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if contract.silent.is_set():
                threading.Event().wait(1)
            self._reply(*contract.answer(body))

        def _reply(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def embedder(url: str) -> Iterator[TeiEmbedder]:
    embedder = TeiEmbedder(url, timeout_s=0.5)
    yield embedder
    embedder.close()


def test_the_model_is_what_info_says(embedder: TeiEmbedder):
    assert embedder.model == ModelId("acme/words", "r1", 3)


def test_many_texts_go_in_batches_and_come_back_in_order(embedder: TeiEmbedder, contract: Contract):
    contract.batches.clear()
    vectors = embedder.embed(["x" * length for length in range(1, 11)])
    assert [struct.unpack("<3f", vector)[0] for vector in vectors] == list(range(1, 11))
    assert contract.batches == [4, 4, 2]


def test_a_text_that_is_too_long_is_refused_and_not_cut(embedder: TeiEmbedder):
    with pytest.raises(Invalid, match="less than 8 tokens") as told:
        embedder.embed(["one", "word " * 20])
    assert told.value.reason == "TOO_LONG"


@pytest.mark.parametrize(
    ("status", "kind"), [(422, Invalid), (429, Overloaded), (424, Unavailable), (500, Unavailable), (503, Unavailable)]
)
def test_failures_keep_their_meaning(embedder: TeiEmbedder, contract: Contract, status: int, kind: type[LooplineError]):
    contract.fails = (status, "why")
    with pytest.raises(kind) as told:
        embedder.embed(["one"])
    assert type(told.value) is kind


def test_a_silent_server_and_one_that_is_not_there_are_told(embedder: TeiEmbedder, contract: Contract):
    contract.silent.set()
    with pytest.raises(TimedOut):
        embedder.embed(["one"])
    with pytest.raises(Unavailable, match="cannot be reached"):
        TeiEmbedder(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_serves_another_model_is_noticed(
    embedder: TeiEmbedder, contract: Contract, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tei, "INFO_S", 0.0)
    assert embedder.embed(["one"])
    contract.info["model_sha"] = "r2"
    with pytest.raises(Unavailable, match="r2 now, not acme/words r1") as told:
        embedder.embed(["one"])
    assert told.value.reason == "OTHER_MODEL"


def test_a_real_one(request: pytest.FixtureRequest):
    url = request.config.getoption("--tei-url")
    if not url:
        pytest.skip(
            f"{NOT_RUN}: the embedding service against a real TEI; give one: PYTEST_ADDOPTS=--tei-url=URL make test"
        )
    embedder = TeiEmbedder(url)
    one, two = embedder.embed(["a lighthouse", "a lighthouse"])
    assert one == two
    assert len(one) == 4 * embedder.model.dimension
    with pytest.raises(Invalid):
        embedder.embed(["word " * 100_000])
    embedder.close()
