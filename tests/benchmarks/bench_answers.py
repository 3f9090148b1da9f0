"""XQuAD English through Answer, over the whole line: does the answer hold the gold, and are foreign subjects declined?

300 questions with all 240 paragraphs ingested; questions on subjects that are not in a second collection. Thresholds were fixed on other
questions than these.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

from interleaved import report
from questions import DATA, Question, split, xquad

from loopline_client import Finished, Loopline
from loopline_testing.line import LocalLine

AT_ONCE = 2


def folded(text: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", text.lower()).split())


def holds(text: str, question: Question) -> bool:
    said = folded(text)
    return any(folded(gold) in said for gold in question.gold)


async def ingest(line: Loopline, collection: str, paragraphs: dict[int, str]) -> None:
    ids = []
    for number, text in paragraphs.items():
        said = await line.submit(f"paragraph-{number}.txt", text.encode(), collection=collection)
        ids.append(said.document_id)
    async for _ in line.watch(ids):
        pass


async def ask(line: Loopline, questions: list[Question], collection: str, **options: str) -> list[Finished]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(question: Question) -> Finished:
        async with limit:
            steps = [step async for step in line.ask(question.text, collections=[collection], **options)]
        if not isinstance(steps[-1], Finished):
            raise TypeError("an answer without an end")
        return steps[-1]

    return await asyncio.gather(*(one(question) for question in questions))


async def measure(home: Path, count: int, engines: list[str]) -> None:
    paragraphs, questions = xquad()
    chosen, _ = split(questions, count)
    half = {question.subject for question in questions if question.subject % 2}
    kept = {q.paragraph: paragraphs[q.paragraph] for q in questions if q.subject in half}
    foreign = [question for question in chosen if question.subject not in half]
    async with Loopline.local(home) as line:
        await ingest(line, "xquad", dict(enumerate(paragraphs)))
        await ingest(line, "half", kept)
        for engine in engines:
            began = time.perf_counter()
            answers = await ask(line, chosen, "xquad", engine=engine)
            each_s = (time.perf_counter() - began) / len(chosen)
            good = sum(holds(answer.text, question) for answer, question in zip(answers, chosen, strict=True))
            silent = sum(answer.abstained for answer in answers)
            declined = sum(answer.abstained for answer in await ask(line, foreign, "half", engine="quote"))
            report(
                f"XQuAD English through Answer, engine {engine}{' strict' if engine == 'chat' else ''}",
                ">= 82 % and >= 97 %" if engine == "quote" else "printed beside it",
                holds_the_gold=f"{good / len(chosen):.1%} of {len(chosen)}",
                abstained=f"{silent / len(chosen):.1%}",
                foreign_subjects_declined=f"{declined / len(foreign):.1%} of {len(foreign)}",
                seconds_each=f"{each_s:.2f}",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--engines", default="quote,chat")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.stdout.write("bench_answers: NOT RUN, the data is not there\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        line = LocalLine(Path(folder))
        line.up()
        try:
            asyncio.run(measure(line.home, options.count, options.engines.split(",")))
        finally:
            line.down()


if __name__ == "__main__":
    main()
