"""Signals that one fact alone does not tell: what is new, known, a repeat, or comes together only later."""

import bisect
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import msgpack

from loopline_monitoring.detection.kinds import Flaw, Kind, Value, clean
from loopline_monitoring.detection.topics import Topics
from loopline_monitoring.detection.vectors import Vector
from loopline_monitoring.model import Observed

DAY_S: Final = 86_400.0
MOST_WORDS, MOST_FINGERPRINTS, MOST_PENDING, MOST_TIMES, MOST_FEATURES = 50_000, 20_000, 50_000, 4096, 500
_WORD = re.compile(r"[^\W\d_]{3,}")
EMBEDDING: Final = "question.embedding"
Place = tuple[str, str]


class Derived:
    """Per tenant and collection: the vocabulary, the topics, the documents' bytes, the predictions that wait for their label."""

    def __init__(self, learn: int) -> None:
        self._learn = learn
        self._words: dict[Place, tuple[int, set[int]]] = {}
        self._topics: dict[Place, Topics] = {}
        self._fingerprints: dict[Place, dict[str, str]] = {}
        self._features: dict[Place, set[str]] = {}
        # (tenant, model, id) -> prediction and slices
        self._pending: dict[tuple[str, str, str], tuple[Value, tuple[str, ...]]] = {}
        # Revisions of documents and when they were told, both rising.
        self._revisions: list[int] = []
        self._times: list[float] = []
        # What is to be written: packed when it is asked for, not at every fact.
        self._changed: set[tuple[str, str]] = set()

    def completed(self, observed: Observed) -> Observed:
        """The observation with what follows from it and from what was before."""
        place = (observed.tenant, observed.collection)
        more: dict[str, Value] = dict(self._new_terms(place, observed.question))
        more |= self._subject(place, observed.values.get(EMBEDDING))
        more |= self._duplicate(place, observed)
        more |= self._freshness(observed)
        if _predicted(tuple(observed.values)):
            observed, judged = self._prediction(place, observed)
            more |= judged
        return replace(observed, values={**observed.values, **more}) if more else observed

    def fit(self, place: Place, vectors: Vector, width: int) -> None:
        """The subjects of a baseline's questions, from its sampled vectors, which were `width` long before they were sampled."""
        if len(vectors):
            self._topics[place] = Topics.fit(vectors, width)
            self._changed.add(("topics", "\x1f".join(place)))

    def changes(self) -> dict[tuple[str, str], bytes | None]:
        """What is to be kept since this was asked last."""
        changed, self._changed = self._changed, set()
        plain = ((kind, identity, self._plain(kind, identity)) for kind, identity in sorted(changed))
        return {(kind, name): None if plain is None else msgpack.packb(plain) for kind, name, plain in plain}

    def _plain(self, kind: str, identity: str) -> Any:
        """A record's content; None when it is gone."""
        tenant, _, rest = identity.partition("\x1f")
        place = (tenant, rest)
        match kind:
            case "words":
                learnt, known = self._words[place]
                return [learnt, sorted(known)]
            case "topics":
                return self._topics[place].to_plain()
            case "fingerprints":
                return list(self._fingerprints[place].items())
            case "features":
                return sorted(self._features[place])
            case "pending":
                model, _, name = rest.partition("\x1f")
                waiting = self._pending.get((tenant, model, name))
                return None if waiting is None else list(waiting)
            case _:
                return [self._revisions, self._times]

    def restore(self, kind: str, identity: str, data: bytes) -> None:
        """One record back."""
        plain: Any = msgpack.unpackb(data)
        parts = identity.split("\x1f")
        match kind:
            case "words":
                self._words[parts[0], parts[1]] = (plain[0], set(plain[1]))
            case "topics":
                self._topics[parts[0], parts[1]] = Topics.from_plain(plain)
            case "fingerprints":
                self._fingerprints[parts[0], parts[1]] = dict(plain)
            case "features":
                self._features[parts[0], parts[1]] = set(plain)
            case "pending":
                self._pending[parts[0], parts[1], parts[2]] = (plain[0], tuple(plain[1]))
            case "revisions":
                self._revisions, self._times = list(plain[0]), list(plain[1])

    def _new_terms(self, place: Place, question: str) -> Iterator[tuple[str, Value]]:
        """Share of the question's words that no question had while the vocabulary was learnt."""
        if not question or not self._learn:
            return
        words = {zlib.crc32(word.encode()) for word in _WORD.findall(question.lower())}
        learnt, known = self._words.get(place, (0, set()))
        if learnt < self._learn and len(known) < MOST_WORDS:
            known |= words
            self._words[place] = (learnt + 1, known)
            self._changed.add(("words", "\x1f".join(place)))
        elif words:
            yield "question.new_terms", len(words - known) / len(words)

    def _subject(self, place: Place, vector: Value) -> Iterator[tuple[str, Value]]:
        topics = self._topics.get(place)
        if topics is None or isinstance(held := clean(Kind.VECTOR, vector), Flaw | float | str):
            return
        topic, outside = topics.place(held)
        yield "question.topic", topic
        yield "question.outside", float(outside)

    def _duplicate(self, place: Place, observed: Observed) -> Iterator[tuple[str, Value]]:
        """Whether another document of the collection has the same bytes."""
        if observed.revision:
            self._date(observed.revision, observed.told_at)
        if not observed.fingerprint:
            return
        known = self._fingerprints.setdefault(place, {})
        name = observed.fingerprint[:16]
        yield "document.duplicate", float(known.get(name, observed.about) != observed.about)
        known[name] = observed.about
        if len(known) > MOST_FINGERPRINTS:
            del known[next(iter(known))]
        self._changed.add(("fingerprints", "\x1f".join(place)))

    def _date(self, revision: int, at: float) -> None:
        if self._revisions and revision <= self._revisions[-1]:
            return
        self._revisions.append(revision)
        self._times.append(max(at, self._times[-1] if self._times else at))
        if len(self._revisions) > MOST_TIMES:
            # Every second one of the older half: recent ages stay exact, old ones become a little coarser.
            half = MOST_TIMES // 2
            self._revisions[:half] = self._revisions[:half:2]
            self._times[:half] = self._times[:half:2]
        self._changed.add(("revisions", ""))

    def _freshness(self, observed: Observed) -> Iterator[tuple[str, Value]]:
        """Mean age of the documents cited, in days."""
        ages = []
        for revision in observed.revisions:
            place = bisect.bisect_right(self._revisions, revision) - 1
            if place >= 0:
                ages.append(max(0.0, observed.at - self._times[place]) / DAY_S)
        if ages:
            yield "answer.source_age_days", sum(ages) / len(ages)

    def _prediction(self, place: Place, observed: Observed) -> tuple[Observed, dict[str, Value]]:
        more: dict[str, Value] = {}
        name = (*place, observed.about)
        given = _features(tuple(observed.values))
        if given:
            known = self._features.setdefault(place, set())
            if not given <= known and len(known) < MOST_FEATURES:
                known |= given
                self._changed.add(("features", "\x1f".join(place)))
            # A feature that was there and is not any more is missing.
            more |= dict.fromkeys(known - given, None)
        if "prediction.value" in observed.values:
            self._keep(name, observed.values["prediction.value"], observed.slices)
        if "prediction.label" in observed.values and name in self._pending:
            predicted, slices = self._pending.pop(name)
            self._changed.add(("pending", "\x1f".join(name)))
            more |= _judged(predicted, observed.values["prediction.label"])
            observed = replace(observed, slices=slices)
        return observed, more

    def _keep(self, name: tuple[str, str, str], predicted: Value, slices: tuple[str, ...]) -> None:
        """Until its label comes, or so many others came."""
        if isinstance(predicted, float | str):
            self._pending[name] = (predicted, slices)
            self._changed.add(("pending", "\x1f".join(name)))
        if len(self._pending) > MOST_PENDING:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            self._changed.add(("pending", "\x1f".join(oldest)))


@lru_cache(512)
def _features(signals: tuple[str, ...]) -> frozenset[str]:
    return frozenset(signal for signal in signals if signal.startswith("feature."))


@lru_cache(512)
def _predicted(signals: tuple[str, ...]) -> bool:
    """Whether such a fact is about a prediction."""
    return any(signal.startswith(("feature.", "prediction.")) for signal in signals)


def _judged(predicted: Value, label: Value) -> Iterator[tuple[str, Value]]:
    """How well a prediction did."""
    if isinstance(predicted, float) and isinstance(label, float):
        yield "prediction.error", abs(predicted - label)
    elif isinstance(label, float | str):
        yield "prediction.correct", float(predicted == label)
