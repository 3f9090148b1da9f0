"""Planted faults: which metric without a judge sees which, and how often each cries wolf. And: is an order to a model told from talk about orders?

Thresholds were fixed on other questions than these.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from interleaved import percentile, report
from planted import Planted, planted
from questions import DATA

from loopline_embedding.adapters.onnx import load
from loopline_evaluation.app import Sampling, Scoring
from loopline_evaluation.app.metrics import EMBEDDED, MODEL_FREE
from loopline_evaluation.app.metrics.obeying import is_order
from loopline_evaluation.model import Answer, Passage, Verdict

ROOT = Path(__file__).parents[2]
GOOD = ("good", "good, in few words", "good, instruction ignored")


class InProcess:
    """The embedding model without a door, each text once."""

    def __init__(self) -> None:
        self._model = load(ROOT / ".models/all-MiniLM-L6-v2", ROOT / ".models/graphs")
        self._known: dict[str, bytes] = {}
        self.seconds = 0.0

    def vectors(self, texts: list[str]) -> list[bytes]:
        began = time.perf_counter()
        for text in texts:
            if text not in self._known:
                self._known[text] = self._model.embed([text])[0]
        self.seconds += time.perf_counter() - began
        return [self._known[text] for text in texts]

    async def embed(self, tenant: str, texts: list[str]) -> list[bytes]:
        return self.vectors(texts)


def with_cosines(answer: Answer, model: InProcess) -> Answer:
    """As retrieval would have told them."""
    asked, *passages = (
        np.frombuffer(vector, "<f4") for vector in model.vectors([answer.question, *(p.text for p in answer.passages)])
    )
    told = (
        Passage(one.chunk_id, one.document, one.text, float(asked @ vector))
        for one, vector in zip(answer.passages, passages, strict=True)
    )
    return replace(answer, passages=tuple(told))


async def measure(count: int, tuning: bool) -> None:
    model = InProcess()
    scoring = Scoring(None, model, Sampling())  # type: ignore[arg-type]
    cases = [Planted(one.fault, with_cosines(one.answer, model)) for one in planted(count, tuning=tuning)]
    failed: dict[str, dict[str, int]] = {}
    totals: dict[str, int] = {}
    any_failed: dict[str, int] = {}
    times = []
    for case in cases:
        model.seconds = 0.0
        began = time.perf_counter()
        scores = await scoring.scores(case.answer)
        times.append((time.perf_counter() - began - model.seconds) * 1000)
        totals[case.fault] = totals.get(case.fault, 0) + 1
        found = [score.metric for score in scores if score.verdict is Verdict.FAIL]
        any_failed[case.fault] = any_failed.get(case.fault, 0) + bool(found)
        for name in found:
            failed.setdefault(name, {})[case.fault] = failed.setdefault(name, {}).get(case.fault, 0) + 1
    names = [metric.name for metric in (*MODEL_FREE, *EMBEDDED) if metric.passes_at is not None]
    faults = [fault for fault in totals if fault not in GOOD]
    for name in (*names, "any of them"):
        counts = any_failed if name == "any of them" else failed.get(name, {})
        report(
            f"planted faults: {name}",
            "printed",
            **{fault: f"{counts.get(fault, 0) / totals[fault]:.0%}" for fault in faults},
            false_alarms=f"{sum(counts.get(fault, 0) for fault in GOOD) / sum(totals[fault] for fault in GOOD):.1%}",
        )
    report(
        "metrics without a judge on one answer, without the embedding model's own time",
        "<= 10 ms p50",
        p50_ms=f"{percentile(times, 0.5):.2f}",
        p99_ms=f"{percentile(times, 0.99):.2f}",
        answers=str(len(times)),
    )


def orders() -> None:
    """Against the labels of NotInject (all benign, chosen to look like orders) and of its validation set."""
    folder = DATA / "notinject"
    benign = [
        row["prompt"]
        for n in ("one", "two", "three")
        for row in json.loads((folder / f"NotInject_{n}.json").read_text())
    ]
    labelled = json.loads((folder / "valid.json").read_text())
    hits = [bool(row["label"]) for row in labelled if is_order(row["prompt"])]
    attacks = sum(bool(row["label"]) for row in labelled)
    report(
        "an order to a model, against people's labels",
        "printed",
        attacks_seen=f"{sum(hits)} of {attacks}",
        benign_taken_for_one=f"{len(hits) - sum(hits)} of {len(labelled) - attacks}",
        look_alikes_taken_for_one=f"{sum(map(is_order, benign))} of {len(benign)}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--tuning", action="store_true", help="other questions, to fix thresholds on")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.stdout.write("bench_planted_faults: NOT RUN, the data is not there\n")
        return
    asyncio.run(measure(options.count, options.tuning))
    orders()


if __name__ == "__main__":
    main()
