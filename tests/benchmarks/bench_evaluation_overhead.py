"""What scoring live answers costs those who wait for them: first token and tokens/s of the whole local line, evaluation running and stopped in turn.

Each answer's scoring overlaps the next question, as it does in traffic; the small model and all services share this machine's cores.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from interleaved import report, spread

from loopline_client import Loopline, Token
from loopline_testing.line import LocalLine

ROOT = Path(__file__).parents[2]
QUESTIONS = (
    "What does the retrieval service hold?",
    "How does a document become a cited answer?",
    "When does a revision answer?",
    "What happens while a dependency is away?",
    "Where do messages lie that could not be finished?",
    "How are answers held to their sources?",
)


FEWEST = 8


async def asked(line: Loopline, question: str) -> tuple[float, float | None]:
    """Seconds to the first token, and tokens a second after it; None for an answer too short to tell."""
    began = time.perf_counter()
    times = [
        time.perf_counter()
        async for step in line.ask(question, collections=["bench"], grounding="off", engine="chat")
        if isinstance(step, Token)
    ]
    return times[0] - began, (len(times) - 1) / (times[-1] - times[0]) if len(times) >= FEWEST else None


async def traffic(line: Loopline, answers: int) -> tuple[float, float]:
    """Medians over so many answers, one after the other."""
    seen = [await asked(line, QUESTIONS[number % len(QUESTIONS)]) for number in range(answers)]
    return statistics.median(first for first, _ in seen), statistics.median(
        pace for _, pace in seen if pace is not None
    )


async def measure(local: LocalLine, rounds: int, answers: int) -> None:
    first, pace = [], []
    async with Loopline.local(local.home) as line:
        for page in ("README.md", *(f"services/{name}/README.md" for name in ("retrieval", "generation", "ingestion"))):
            said = await line.submit(page, (ROOT / page).read_bytes(), collection="bench")
            async for _ in line.watch([said.document_id]):
                pass
        await traffic(line, len(QUESTIONS))  # prefixes are cached from here on, for both
        for _ in range(rounds):
            with_it = await traffic(line, answers)
            await asyncio.to_thread(local.command, "stop", "evaluation")
            without = await traffic(line, answers)
            await asyncio.to_thread(local.command, "start", "evaluation")
            first.append(without[0] / with_it[0])
            pace.append(with_it[1] / without[1])
    report("first token, without evaluation / with it", ">= 0.95", ratio=spread(first))
    report("tokens/s, with evaluation / without it", ">= 0.95", ratio=spread(pace))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        local = LocalLine(Path(folder))
        local.up("--grounding", "off")
        try:
            asyncio.run(measure(local, options.rounds, options.answers))
        finally:
            local.down()


if __name__ == "__main__":
    main()
