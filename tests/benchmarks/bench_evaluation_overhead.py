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

from loopline_client import Loopline, Started, Token
from loopline_runtime.errors import NotFound, Unavailable
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


async def asked(line: Loopline, question: str) -> tuple[str, float, float | None]:
    """The answer's id, seconds to its first token, and tokens a second after it; None for an answer too short to tell."""
    began, times, answer_id = time.perf_counter(), [], ""
    async for step in line.ask(question, collections=["bench"], grounding="off", engine="chat"):
        if isinstance(step, Started):
            answer_id = step.answer_id
        elif isinstance(step, Token):
            times.append(time.perf_counter())
    pace = (len(times) - 1) / (times[-1] - times[0]) if len(times) >= FEWEST else None
    return answer_id, times[0] - began, pace


async def traffic(line: Loopline, answers: int) -> tuple[str, float, float]:
    """The last answer's id and medians over so many answers, one after the other."""
    seen = [await asked(line, QUESTIONS[number % len(QUESTIONS)]) for number in range(answers)]
    paces = [pace for _, _, pace in seen if pace is not None]
    return seen[-1][0], statistics.median(first for _, first, _ in seen), statistics.median(paces)


async def scored(line: Loopline, answer_id: str) -> bool:
    """Whether evaluation is there and has come so far."""
    try:
        return bool(await line.evaluation.scores([answer_id]))
    except (NotFound, Unavailable):
        return False


async def measure(local: LocalLine, rounds: int, answers: int) -> None:
    first, pace = [], []
    async with Loopline.local(local.home) as line:
        for page in ("README.md", *(f"services/{name}/README.md" for name in ("retrieval", "generation", "ingestion"))):
            said = await line.submit(page, (ROOT / page).read_bytes(), collection="bench")
            async for _ in line.watch([said.document_id]):
                pass
        await traffic(line, len(QUESTIONS))  # prefixes are cached from here on, for both
        for _ in range(rounds):
            _, first_with, pace_with = await traffic(line, answers)
            await asyncio.to_thread(local.command, "stop", "evaluation")
            last, first_without, pace_without = await traffic(line, answers)
            await asyncio.to_thread(local.command, "start", "evaluation")
            while not await scored(line, last):  # what was answered meanwhile is not scored beside the next round
                await asyncio.sleep(0.5)
            first.append(first_without / first_with)
            pace.append(pace_with / pace_without)
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
