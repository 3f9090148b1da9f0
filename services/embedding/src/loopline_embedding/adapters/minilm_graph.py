"""The ONNX graph of all-MiniLM-L6-v2, made from its published weights with no torch.

A BERT encoder (Devlin et al. 2019: 6 layers, 384 wide, 12 heads), mean over the tokens that count, length 1 (Reimers and
Gurevych 2019). Inputs `input_ids` and `attention_mask`, int64 [texts, tokens]; output `embedding`, float32 [texts, 384].
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

LAYERS, WIDTH, HEADS = 6, 384, 12
HEAD = WIDTH // HEADS
OPSET, IR = 20, 9
# Added to the scores of padding before the softmax: far enough below any real score to leave it no weight.
MASKED = -10_000.0


class _Graph:
    """Collects nodes and weights; each method adds one step and returns the name of its output."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def numbers(self, *values: int) -> str:
        return self.constant("n" + "_".join(map(str, values)), np.array(values, np.int64))

    def step(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def dense(self, source: str, weight: str, output: str) -> str:
        matrix = self.constant(f"{weight}.weight", self.weights[f"{weight}.weight"].T)
        bias = self.constant(f"{weight}.bias", self.weights[f"{weight}.bias"])
        return self.step("Add", [self.step("MatMul", [source, matrix], f"{output}.product"), bias], output)

    def norm(self, source: str, weight: str, output: str) -> str:
        scale = self.constant(f"{weight}.weight", self.weights[f"{weight}.weight"])
        bias = self.constant(f"{weight}.bias", self.weights[f"{weight}.bias"])
        return self.step("LayerNormalization", [source, scale, bias], output, axis=-1, epsilon=1e-12)

    def heads(self, source: str, output: str, order: tuple[int, ...]) -> str:
        split = self.step("Reshape", [source, self.numbers(0, 0, HEADS, HEAD)], f"{output}.split")
        return self.step("Transpose", [split], output, perm=order)


def _embeddings(graph: _Graph) -> str:
    words = graph.constant("words", graph.weights["embeddings.word_embeddings.weight"])
    # There is one segment only: its embedding is added to every position once and for all.
    places = (
        graph.weights["embeddings.position_embeddings.weight"]
        + graph.weights["embeddings.token_type_embeddings.weight"][0]
    )
    shape = graph.step("Shape", ["input_ids"], "shape")
    length = graph.step("Slice", [shape, graph.numbers(1), graph.numbers(2)], "length")
    zero = graph.numbers(0)
    position = graph.step("Slice", [graph.constant("places", places), zero, length, zero], "position")
    word = graph.step("Gather", [words, "input_ids"], "word")
    return graph.norm(graph.step("Add", [word, position], "embedded"), "embeddings.LayerNorm", "layer0")


def _mask(graph: _Graph) -> str:
    wide = graph.step("Unsqueeze", ["attention_mask", graph.numbers(1, 2)], "mask.wide")
    real = graph.step("Cast", [wide], "mask.real", to=TensorProto.FLOAT)
    padding = graph.step("Sub", [graph.constant("one", np.float32(1.0) * np.ones(1, np.float32)), real], "mask.padding")
    return graph.step("Mul", [padding, graph.constant("masked", np.array([MASKED], np.float32))], "mask")


def _attention(graph: _Graph, source: str, mask: str, layer: str, name: str) -> str:
    part = {
        which: graph.heads(
            graph.dense(source, f"{layer}.attention.self.{which}", f"{name}.{which}"), f"{name}.{which}.heads", order
        )
        for which, order in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3)))
    }
    scale = graph.constant("scale", np.array([HEAD**-0.5], np.float32))
    query = graph.step("Mul", [part["query"], scale], f"{name}.scaled")
    scores = graph.step("Add", [graph.step("MatMul", [query, part["key"]], f"{name}.raw"), mask], f"{name}.scores")
    weights = graph.step("Softmax", [scores], f"{name}.weights", axis=-1)
    mixed = graph.step("MatMul", [weights, part["value"]], f"{name}.mixed")
    order = graph.step("Transpose", [mixed], f"{name}.ordered", perm=(0, 2, 1, 3))
    joined = graph.step("Reshape", [order, graph.numbers(0, 0, WIDTH)], f"{name}.joined")
    return graph.dense(joined, f"{layer}.attention.output.dense", f"{name}.attended")


def _layer(graph: _Graph, source: str, mask: str, number: int) -> str:
    layer, name = f"encoder.layer.{number}", f"layer{number}"
    attended = _attention(graph, source, mask, layer, name)
    first = graph.step("Add", [attended, source], f"{name}.residual")
    first = graph.norm(first, f"{layer}.attention.output.LayerNorm", f"{name}.normed")
    hidden = graph.step("Gelu", [graph.dense(first, f"{layer}.intermediate.dense", f"{name}.wide")], f"{name}.gelu")
    second = graph.step("Add", [graph.dense(hidden, f"{layer}.output.dense", f"{name}.narrow"), first], f"{name}.sum")
    return graph.norm(second, f"{layer}.output.LayerNorm", f"layer{number + 1}")


def _pooled(graph: _Graph, source: str) -> str:
    counts = graph.step("Cast", ["attention_mask"], "counts", to=TensorProto.FLOAT)
    counting = graph.step(
        "Mul", [source, graph.step("Unsqueeze", [counts, graph.numbers(2)], "counts.wide")], "counting"
    )
    total = graph.step("ReduceSum", [counting, graph.numbers(1)], "total", keepdims=0)
    tokens = graph.step("ReduceSum", [counts, graph.numbers(1)], "tokens", keepdims=1)
    return graph.step("LpNormalization", [graph.step("Div", [total, tokens], "mean")], "embedding", axis=-1, p=2)


def build(weights: Path) -> onnx.ModelProto:
    """The graph with all weights inside, about 90 MB; takes a second or two."""
    graph = _Graph(load_file(weights))
    state, mask = _embeddings(graph), _mask(graph)
    for number in range(LAYERS):
        state = _layer(graph, state, mask, number)
    _pooled(graph, state)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", WIDTH])]
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, list(graph.constants.values()))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
