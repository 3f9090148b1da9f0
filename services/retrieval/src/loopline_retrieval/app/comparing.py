"""Two index versions are asked the same questions, in turns."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from loopline_retrieval.app.probing import probes_of
from loopline_retrieval.app.searching import Searched, Searching
from loopline_retrieval.model import Passage
from loopline_retrieval.ports import Store
from loopline_retrieval.versions import Comparison, Latency, Metric, Probe, Relevant, Trial, checked_trial
from loopline_runtime.errors import Rejected

BEST, AT_ONCE, LEAST_QUESTIONS = 10, 2, 20
# Passages drawn per known-item question wanted: not every passage holds a fitting sentence.
DRAWN = 3
JUDGED_BY = "nDCG@10"


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One answer, as the metrics see it."""

    names: list[str]
    documents: list[str]
    took_ms: float


class Comparing:
    """Compares."""

    def __init__(self, store: Store, searching: Searching) -> None:
        self._store = store
        self._searching = searching

    async def compare(self, baseline: Searched, candidate: Searched, trial: Trial) -> Comparison:
        """Figures of both and a verdict. Rejected when the collection holds too little to ask about."""
        probes, told = await self._probes(baseline, checked_trial(trial))
        deep = max(trial.k, BEST)
        limit = asyncio.Semaphore(AT_ONCE)
        chance = random.Random(trial.seed)  # noqa: S311 - whose turn is first, so that neither is always served by warm caches

        async def ask(probe: Probe, swapped: bool) -> tuple[_Ranked, _Ranked]:
            async with limit:
                order = (candidate, baseline) if swapped else (baseline, candidate)
                first, second = [await self._ranked(one, probe, deep, trial) for one in order]
            return (second, first) if swapped else (first, second)

        pairs = await asyncio.gather(*(ask(probe, chance.random() < 0.5) for probe in probes))
        metrics = await asyncio.to_thread(_metrics, probes, pairs, trial)
        judged = next(metric for metric in metrics if metric.name == JUDGED_BY)
        worse = judged.low < -trial.tolerance
        return Comparison(
            collection=baseline.space.collection,
            baseline=baseline.space.version,
            candidate=candidate.space.version,
            questions=len(probes),
            probe=told,
            k=trial.k,
            metrics=tuple(metrics),
            overlap=sum(_shared(before, after) for before, after in pairs) / len(pairs),
            baseline_latency=_latency([before.took_ms for before, _ in pairs]),
            candidate_latency=_latency([after.took_ms for _, after in pairs]),
            tolerance=trial.tolerance,
            worse=worse,
            verdict=_verdict(candidate.space.version, baseline.space.version, judged, trial.tolerance),
        )

    async def _probes(self, baseline: Searched, trial: Trial) -> tuple[list[Probe], str]:
        if trial.probes:
            return list(trial.probes), "labelled"
        drawn = await self._store.sample(baseline.space, DRAWN * trial.count, trial.seed, trial.principals)
        probes = probes_of(drawn, trial.count, trial.seed)
        if len(probes) < LEAST_QUESTIONS:
            raise Rejected(
                f"{len(probes)} known-item questions can be made from {baseline.space.collection}, "
                f"at least {LEAST_QUESTIONS} are needed: give labelled ones",
                reason="NOTHING_TO_ASK",
            )
        return probes, f"known-item, seed {trial.seed}"

    async def _ranked(self, searched: Searched, probe: Probe, k: int, trial: Trial) -> _Ranked:
        passages, took_ms = await self._searching.best(searched, probe.question, k, trial.principals)
        documents = list(dict.fromkeys(passage.document for passage in passages))
        return _Ranked(_names(passages, probe.relevant), documents, took_ms)


def _names(passages: Sequence[Passage], relevant: Sequence[Relevant]) -> list[str]:
    """The ranking in names: what is relevant by its number, once; where documents are asked for, each document once."""
    by_document = all(not one.text and one.span is None for one in relevant)
    names: list[str] = []
    missed: set[str] = set()
    for place, passage in enumerate(passages):
        hits = [
            str(number) for number, one in enumerate(relevant) if _answers(passage, one) and str(number) not in names
        ]
        if hits:
            names += hits
        elif not by_document:
            names.append(f"miss-{place}")
        elif passage.document not in missed and not any(_answers(passage, one) for one in relevant):
            missed.add(passage.document)
            names.append(f"miss-{place}")
    return names


def _answers(passage: Passage, relevant: Relevant) -> bool:
    if relevant.document and relevant.document != passage.document:
        return False
    if relevant.source and relevant.source != passage.source:
        return False
    if relevant.text and " ".join(relevant.text.lower().split()) not in " ".join(passage.text.lower().split()):
        return False
    if relevant.span is None:
        return True
    start, end = relevant.span
    shared = min(end, passage.place.end) - max(start, passage.place.start)
    return 2 * shared > end - start


def _metrics(probes: Sequence[Probe], pairs: Sequence[tuple[_Ranked, _Ranked]], trial: Trial) -> list[Metric]:
    from loopline_statistics import ndcg, paired_bootstrap, recall, reciprocal_rank

    def of(name: str, ranked: _Ranked, probe: Probe) -> float:
        relevant = [str(number) for number in range(len(probe.relevant))]
        match name:
            case "nDCG@10":
                return ndcg(ranked.names, relevant, k=BEST)
            case "MRR":
                return reciprocal_rank(ranked.names, relevant)
            case _:
                return recall(ranked.names, relevant, k=trial.k)

    metrics = []
    for name in (JUDGED_BY, f"recall@{trial.k}", "MRR"):
        before = [of(name, pair[0], probe) for probe, pair in zip(probes, pairs, strict=True)]
        after = [of(name, pair[1], probe) for probe, pair in zip(probes, pairs, strict=True)]
        found = paired_bootstrap(before, after, seed=trial.seed)
        metrics.append(Metric(name, found.before, found.after, found.effect, found.low, found.high))
    return metrics


def _shared(before: _Ranked, after: _Ranked) -> float:
    ours, theirs = set(before.documents[:BEST]), set(after.documents[:BEST])
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


def _latency(took_ms: Sequence[float]) -> Latency:
    ordered = sorted(took_ms)
    return Latency(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))])


def _verdict(candidate: str, baseline: str, judged: Metric, tolerance: float) -> str:
    figures = (
        f"{judged.name} {judged.candidate:.3f} against {judged.baseline:.3f} of {baseline}, "
        f"difference {judged.difference:+.3f} ({judged.low:+.3f} to {judged.high:+.3f})"
    )
    if judged.high < -tolerance:
        return f"{candidate} is worse than {baseline}: {figures}, beyond the tolerance of {tolerance:g}"
    if judged.low < -tolerance:
        return f"{candidate} may be worse than {baseline}: {figures}, tolerance {tolerance:g}; ask more questions to be surer"
    if judged.low > 0:
        return f"{candidate} is better than {baseline}: {figures}"
    return f"{candidate} is no worse than {baseline}: {figures}, tolerance {tolerance:g}"
