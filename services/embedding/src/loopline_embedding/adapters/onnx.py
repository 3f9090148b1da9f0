"""all-MiniLM-L6-v2 on ONNX Runtime."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tokenizers import Tokenizer

from loopline_embedding.adapters.minilm_graph import WIDTH, build
from loopline_embedding.model import ModelId, Vector
from loopline_runtime.errors import Rejected

# Of the official model.safetensors; another file would make vectors that do not fit those in the index.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MODEL = ModelId("all-MiniLM-L6-v2", SHA256[:12], WIDTH)
MOST_TOKENS = 256


class OnnxEmbedder:
    """The model in memory; `embed` may be called from several threads, each uses one core."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @property
    def model(self) -> ModelId:
        """Which one."""
        return MODEL

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector per text, in order; tokens past 256 are not read."""
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([item.ids for item in encoded], np.int64)
        mask = np.array([item.attention_mask for item in encoded], np.int64)
        (vectors,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
        return [vector.astype("<f4").tobytes() for vector in np.asarray(vectors)]


def load(folder: Path, cache: Path) -> OnnxEmbedder:
    """Checks the weights, makes the graph unless it is cached, loads both. Rejected when the weights are not the official ones."""
    weights = folder / "model.safetensors"
    if not weights.exists():
        raise Rejected(f"MODEL__PATH has no model.safetensors: {folder}; `make models` fetches it")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise Rejected(f"{weights} is not the official all-MiniLM-L6-v2: SHA-256 {found[:12]}, wanted {SHA256[:12]}")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_TOKENS)
    tokenizer.enable_padding()
    # On by default since 1.32, on Linux too.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # Threads bring more than one wide call, and leave a core to a question while a batch is worked.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(_graph(weights, cache)), options, providers=["CPUExecutionProvider"])
    return OnnxEmbedder(session, tokenizer)


def _graph(weights: Path, cache: Path) -> Path:
    """The graph's file, named by the weights it was made from; several processes may make it at once."""
    graph = cache / f"all-MiniLM-L6-v2-{SHA256[:12]}.onnx"
    if not graph.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = graph.with_suffix(f".{os.getpid()}")
        onnx.save(build(weights), str(unfinished))
        unfinished.replace(graph)
    return graph
