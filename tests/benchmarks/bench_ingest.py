"""Passages a second through the whole line, from upload to indexed, against the embedding model alone on the same cores. Interleaved."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from interleaved import report, spread

from loopline_client import Loopline
from loopline_embedding.adapters.onnx import OnnxEmbedder, load
from loopline_embedding.turns import Turns
from loopline_testing.line import LocalLine

ROOT = Path(__file__).parents[2]
DOCUMENTS, PARAGRAPHS, THREADS = 16, 50, 2
SENTENCE = (
    "The keeper of harbour {0} writes that boat {1} left at {2} with crates of oranges and a letter for captain {3}. "
)


def document(number: int, tag: str) -> str:
    """About fifty passages of some 150 tokens."""
    parts = [
        f"## Entry {entry}\n\n" + "".join(SENTENCE.format(number, entry, line, f"{tag}{line}") for line in range(5))
        for entry in range(PARAGRAPHS)
    ]
    return f"# Log {number} {tag}\n\n" + "\n\n".join(parts)


async def through_the_line(line: Loopline, tag: str) -> tuple[float, list[str]]:
    """Passages a second, and their texts."""
    began = time.perf_counter()
    said = await asyncio.gather(
        *(line.submit(f"{tag}-{n}.md", document(n, tag).encode(), collection="bench") for n in range(DOCUMENTS))
    )
    passages = 0
    async for state in line.watch([one.document_id for one in said]):
        if state.settled:
            passages += state.chunks
    took = time.perf_counter() - began
    texts = [document(n, tag) for n in range(DOCUMENTS)]
    size = sum(map(len, texts)) // passages
    return passages / took, [text[start : start + size] for text in texts for start in range(0, len(text), size)][
        :passages
    ]


async def alone(embedder: OnnxEmbedder, texts: list[str]) -> float:
    """The same text through the model on the same cores, in the same slices, and nothing else."""
    async with Turns.taken(embedder.embed, THREADS) as turns:
        began = time.perf_counter()
        await asyncio.gather(*(turns.batch(texts[start : start + 64]) for start in range(0, len(texts), 64)))
        return len(texts) / (time.perf_counter() - began)


async def measure(home: Path, rounds: int) -> None:
    embedder = load(ROOT / ".models/all-MiniLM-L6-v2", ROOT / ".models/graphs")
    async with Loopline.local(home) as line:
        await through_the_line(line, "warm")
        ratios, rates = [], []
        for number in range(rounds):
            rate, texts = await through_the_line(line, f"r{number}")
            ratios.append(rate / await alone(embedder, texts))
            rates.append(rate)
    report("passages/s of the line / the model alone", ">= 0.8", ratio=spread(ratios), passages_s=spread(rates, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = LocalLine(Path(folder))
        line.up("--engine", "quote")
        try:
            asyncio.run(measure(line.home, options.rounds))
        finally:
            line.down()


if __name__ == "__main__":
    main()
