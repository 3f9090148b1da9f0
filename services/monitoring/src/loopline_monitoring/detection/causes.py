"""What probably caused a change: the version events before it, ranked.

For each version the question is how likely the values of all signals that moved are, had they changed at the moment when this version was first
seen (`Sequential.profile`): a sum of log-likelihood ratios over the signals, each cut to what it says at best. A version explains only what it
can reach: a prompt moves answers, not questions; a version of one collection moves nothing elsewhere. What moved and is not explained counts
against it, and so does each signal that it reaches and that stood still. The scores are the shares of a softmax with one more rival: that none
of them did it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Numbers = NDArray[np.float64]
# Which families of signals a kind of version can move; the family is a signal's name up to its first dot.
_ANSWERING: Final = frozenset({"answer", "evaluation", "feedback", "canary"})
REACHES: Final[Mapping[str, frozenset[str]]] = {
    "prompt": _ANSWERING,
    "policy": _ANSWERING,
    "engine": _ANSWERING,
    "model": _ANSWERING,
    "model_version": frozenset({"prediction"}),
    "index": _ANSWERING | {"retrieval"},
    "embedding_model": _ANSWERING | {"retrieval", "question"},
    "collection": _ANSWERING | {"retrieval", "document"},
}
# A version first seen up to so many seconds after the first changed value may still be its cause: clocks differ.
_CLOCKS_S: Final = 2.0
# What a signal says at most, so that one loud signal does not silence the others.
_LOUDEST: Final = 40.0
# ln odds: "something else did it" needs no coincidence in time.
_NOTHING: Final = 2.0
_UNREACHED: Final = 3.0


@dataclass(frozen=True, slots=True)
class Moved:
    """A signal that moved, where, and its `Sequential.profile`: times, [n], and log-likelihood of a change before each, [n]."""

    signal: str
    collection: str
    slice: str
    times: _Numbers
    likelihood: _Numbers


@dataclass(frozen=True, slots=True)
class VersionSeen:
    """A version was seen for the first time; `collection` is empty where it serves all."""

    what: str
    value: str
    before: str
    at: float
    collection: str = ""
    slice: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A version event and the share of belief in it, 0 to 1."""

    what: str
    value: str
    before: str
    at: float
    score: float
    told: str


def reaches(version: VersionSeen, moved: Moved) -> bool:
    """Whether this version could have moved that signal at all."""
    families = REACHES.get(version.what)
    return (
        (families is None or moved.signal.partition(".")[0] in families)
        and version.collection in {"", moved.collection}
        and (version.slice == moved.slice or not version.slice)
    )


def rank(moved: Sequence[Moved], versions: Sequence[VersionSeen]) -> list[Cause]:
    """The versions that can have done it, likeliest first."""
    if not moved:
        return []
    scored = [(_belief(version, moved), version) for version in versions if any(reaches(version, m) for m in moved)]
    likely = [(belief, version) for belief, version in scored if belief > -math.inf]
    if not likely:
        return []
    nothing = _NOTHING + sum(_best(m) for m in moved) * 0.5
    peak = max(nothing, *(belief for belief, _ in likely))
    whole = math.exp(nothing - peak) + sum(math.exp(belief - peak) for belief, _ in likely)
    causes = [
        Cause(v.what, v.value, v.before, v.at, math.exp(belief - peak) / whole, _told(v, moved)) for belief, v in likely
    ]
    return sorted(causes, key=lambda cause: (-cause.score, -cause.at))


def _best(moved: Moved) -> float:
    return min(_LOUDEST, float(moved.likelihood.max())) if moved.likelihood.size else 0.0


def _belief(version: VersionSeen, moved: Sequence[Moved]) -> float:
    total = 0.0
    for signal in moved:
        if not reaches(version, signal):
            total -= _UNREACHED
            continue
        later = np.flatnonzero(signal.times >= version.at - _CLOCKS_S)
        if not later.size:
            return -math.inf
        best = float(signal.likelihood.max())
        # Clocks differ by so little; in dense traffic much may have come meanwhile, so the likeliest moment in between counts.
        exact = int(np.searchsorted(signal.times, version.at))
        lost = best - float(signal.likelihood[later[0] : max(exact, later[0]) + 1].max())
        # Values older than the recent ones are not remembered: a version before them all is as likely as the first remembered, less its age.
        total += _best(signal) - min(lost, _LOUDEST)
        if later[0] == 0:
            span = max(1.0, float(signal.times[-1] - signal.times[0]))
            total -= max(0.0, float(signal.times[0]) - version.at) / span
    return total


def _told(version: VersionSeen, moved: Sequence[Moved]) -> str:
    reached = sum(reaches(version, signal) for signal in moved)
    change = f"{version.before} -> {version.value}" if version.before else f"{version.value} is new"
    return f"{version.what} {change}, before {reached} of {len(moved)} changed signals"
