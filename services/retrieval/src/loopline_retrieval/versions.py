"""Index versions: which serves, which are kept, how two of them compare."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from loopline_retrieval.model import Known, Model
from loopline_runtime.errors import Invalid

MOST_CHANGES, MOST_PROBES, MOST_K = 20, 5000, 100
DEFAULT_COUNT, DEFAULT_K, DEFAULT_TOLERANCE = 300, 10, 0.02
SWITCH, ROLLBACK = "switch", "rollback"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of both versions, the mean over questions, and the paired 95 % bootstrap interval of their difference."""

    name: str
    baseline: float
    candidate: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Of a search, in milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of a collection, asked the same questions. `overlap`: shared documents among both best ten, over all of them."""

    collection: str
    baseline: str
    candidate: str
    questions: int
    probe: str
    k: int
    metrics: tuple[Metric, ...]
    overlap: float
    baseline_latency: Latency
    candidate_latency: Latency
    tolerance: float
    worse: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many documents one version answers, how many of these are not whole in another, and some of them."""

    documents: int
    behind: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Another version served from then on (seconds since 1970). Numbered from 1."""

    number: int
    kind: str
    from_version: str
    to_version: str
    by: str
    reason: str
    at: float
    forced: bool = False
    comparison: Comparison | None = None
    completeness: Completeness | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """A collection's index versions, in one entry that is changed by compare-and-set. `told`: the last change that was said."""

    serving: str
    versions: Mapping[str, Model]
    previous: str = ""
    dropped: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    told: int = 0

    def with_version(self, version: str, model: Model) -> "Index":
        """A version has been begun; changes nothing when it is known, or was dropped."""
        if version in self.versions or version in self.dropped:
            return self
        return replace(self, versions={**self.versions, version: model})

    def changed(self, change: Change) -> "Index":
        """Another version serves."""
        numbered = replace(change, number=self.changes[-1].number + 1 if self.changes else 1)
        kept = (*self.changes, numbered)[-MOST_CHANGES:]
        return replace(self, serving=change.to_version, previous=self.serving, changes=kept)

    def without(self, version: str) -> "Index":
        """A version is gone for good."""
        kept = {name: model for name, model in self.versions.items() if name != version}
        previous = "" if self.previous == version else self.previous
        return replace(self, versions=kept, previous=previous, dropped=self.dropped | {version})


@dataclass(frozen=True, slots=True)
class Held:
    """A revision of a document in an index version. `chunks_sha256`: over its sorted chunk ids, each with a line feed, hex."""

    document: str
    source: str
    revision: int
    chunks: int
    chunks_sha256: str
    answers: bool


@dataclass(frozen=True, slots=True)
class Relevant:
    """What answers a question: a document by id or source, words that stand in a passage, or a place in a document's text."""

    document: str = ""
    source: str = ""
    text: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A question and what answers it."""

    question: str
    relevant: tuple[Relevant, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """By which questions versions are compared. Without probes, known-item questions are made from the collection."""

    probes: tuple[Probe, ...] = ()
    count: int = DEFAULT_COUNT
    seed: int = 0
    k: int = DEFAULT_K
    tolerance: float = DEFAULT_TOLERANCE
    principals: frozenset[str] = field(default_factory=frozenset)


def sha256_of(chunk_ids: Iterable[str]) -> str:
    """What names a set of chunks."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(chunk_ids)).encode()).hexdigest()


def behind(known: Known, baseline: str, candidate: str) -> bool:
    """Whether a revision that one version answers is not whole in the other."""
    serving, other = known.versions.get(baseline), known.versions.get(candidate)
    if serving is None or serving.shown <= known.deleted:
        return False
    return other is None or other.shown < serving.shown


def checked_trial(trial: Trial) -> Trial:
    """The trial, or Invalid naming the field."""
    if len(trial.probes) > MOST_PROBES or not 1 <= trial.count <= MOST_PROBES:
        raise Invalid(f"1 to {MOST_PROBES} questions", field="trial.count")
    if not 1 <= trial.k <= MOST_K:
        raise Invalid(f"k is 1 to {MOST_K}", field="trial.k")
    if not 0 <= trial.tolerance < 1:
        raise Invalid("the tolerance is 0 to 1, in nDCG@10", field="trial.tolerance")
    for number, probe in enumerate(trial.probes, 1):
        if not probe.question.strip() or not probe.relevant:
            raise Invalid(f"probe {number} lacks a question, or what answers it", field="trial.probes")
        if any(not (one.document or one.source or one.text.strip()) for one in probe.relevant):
            raise Invalid(f"probe {number} names no document and no words of a passage", field="trial.probes")
    return trial
