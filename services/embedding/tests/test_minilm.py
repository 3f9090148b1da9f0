"""The real model: right numbers, length 1, long texts cut, wrong weights refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from loopline_embedding.adapters.onnx import OnnxEmbedder, load
from loopline_runtime.errors import Rejected

MODELS = Path(__file__).parents[3] / ".models" / "all-MiniLM-L6-v2"
SENTENCES = [
    "A cat sits on the mat.",
    "The cat is sitting on a rug.",
    "Quarterly revenue rose by four percent, the board said.",
]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> OnnxEmbedder:
    return load(MODELS, tmp_path_factory.mktemp("cache"))


def numbers(vectors: list[bytes]) -> np.ndarray:
    return np.array([np.frombuffer(vector, "<f4") for vector in vectors])


def forward(text: str) -> np.ndarray:
    """An independent forward pass of one text in numpy, straight from the weights."""
    w = load_file(MODELS / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(MODELS / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def erf(x: np.ndarray) -> np.ndarray:  # Abramowitz and Stegun 7.1.26, good to 1.5e-7
        t = 1 / (1 + 0.3275911 * np.abs(x))
        series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
        return np.sign(x) * (1 - series * np.exp(-x * x))

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        q, k, v = (
            dense(x, f"{p}attention.self.{n}").reshape(-1, 12, 32).transpose(1, 0, 2) for n in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(32)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ v
        attended = dense(mixed.transpose(1, 0, 2).reshape(-1, 384), p + "attention.output.dense")
        x = norm(attended + x, p + "attention.output.LayerNorm")
        hidden = dense(x, p + "intermediate.dense")
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        x = norm(dense(hidden, p + "output.dense") + x, p + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_it_computes_what_the_weights_say(embedder: OnnxEmbedder):
    expected = np.array([forward(text) for text in SENTENCES])
    assert np.abs(numbers(embedder.embed(SENTENCES)) - expected).max() < 1e-5


def test_vectors_have_length_one_and_know_what_is_alike(embedder: OnnxEmbedder):
    cat, rug, revenue = numbers(embedder.embed(SENTENCES))
    assert np.allclose([np.linalg.norm(vector) for vector in (cat, rug, revenue)], 1, atol=1e-6)
    assert cat @ rug > 0.6 > cat @ revenue


def test_a_text_gets_the_same_vector_alone_and_in_company(embedder: OnnxEmbedder):
    together = numbers(embedder.embed(SENTENCES))
    alone = numbers([embedder.embed([text])[0] for text in SENTENCES])
    assert np.abs(together - alone).max() < 1e-5


def test_what_the_model_cannot_read_is_cut(embedder: OnnxEmbedder):
    long = "harbour " * 400
    assert embedder.embed([long]) == embedder.embed([long + "and much more"])


def test_the_graph_is_made_once(tmp_path: Path, embedder: OnnxEmbedder):
    load(MODELS, tmp_path)
    (graph,) = tmp_path.iterdir()
    made = graph.stat().st_mtime_ns
    load(MODELS, tmp_path)
    assert graph.stat().st_mtime_ns == made


def test_other_weights_are_refused(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(Rejected, match="not the official"):
        load(tmp_path, tmp_path)
    with pytest.raises(Rejected, match="make models"):
        load(tmp_path / "nowhere", tmp_path)
