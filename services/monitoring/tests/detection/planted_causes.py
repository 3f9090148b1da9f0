"""Answers under changing versions, one of whose changes changes the answers: who is ranked first?"""

import numpy as np

from loopline_monitoring.detection import Cause, Kind, Moved, Promise, Sequential, Sketch, VersionSeen, rank

# Signal, its mean and spread, by how many standard deviations a bad version moves it.
SIGNALS = {
    "answer.length": (80.0, 20.0),
    "answer.total_ms": (900.0, 200.0),
    "answer.supported": (0.8, 0.1),
    "evaluation.score": (0.7, 0.15),
    "retrieval.top_score": (0.6, 0.1),
    "question.length": (12.0, 4.0),
}
# What each kind of version moves, when it moves something.
MOVES = {
    "prompt": ("answer.length", "answer.supported", "evaluation.score"),
    "model": ("answer.length", "answer.total_ms", "evaluation.score"),
    "index": ("retrieval.top_score", "answer.supported"),
    "policy": ("answer.supported", "answer.length"),
}
SPACING_S = 20.0


def run(seed: int) -> tuple[VersionSeen, list[Cause]]:
    """One story: five versions appear 10 to 60 answers apart, one of them moves its signals by .6 to 2 standard deviations.

    The causes are asked for when the first alarm opens, or 40 answers later, as an alarm is updated when more signals move.
    """
    rng = np.random.default_rng([seed, 5])
    at = [int(place) for place in np.cumsum(rng.integers(10, 60, 5)) + 200]
    kinds = [str(kind) for kind in rng.choice(list(MOVES), 5)]
    versions = [
        VersionSeen(kind, f"{kind}-{number}", f"{kind}-before", place * SPACING_S)
        for number, (kind, place) in enumerate(zip(kinds, at, strict=True))
    ]
    guilty = int(rng.integers(5))
    size = float(rng.uniform(0.6, 2.0))
    sign = {signal: float(rng.choice([-1.0, 1.0])) for signal in SIGNALS}
    level = Promise(1.0).level_sequential(len(SIGNALS))
    tests = {}
    for signal, (mean, spread) in SIGNALS.items():
        baseline = Sketch.empty(Kind.NUMERIC)
        for value in rng.normal(mean, spread, 500).tolist():
            baseline.add(value, 0.0)
        tests[signal] = Sequential.against(baseline)
    moved: set[str] = set()
    first = None
    for number in range(1200):
        for signal, (mean, spread) in SIGNALS.items():
            bad = number >= at[guilty] and signal in MOVES[kinds[guilty]]
            value = float(rng.normal(mean + bad * sign[signal] * size * spread, spread))
            if tests[signal].add(value, number * SPACING_S) >= 1 / level:
                moved.add(signal)
                first = number if first is None else first
        if first is not None and number >= first + 40:
            break
    seen = [version for version in versions if version.at <= number * SPACING_S]
    return versions[guilty], rank([Moved(signal, "", "", *tests[signal].profile()) for signal in sorted(moved)], seen)


def true_first(seed: int) -> bool:
    """Whether the guilty version leads."""
    guilty, causes = run(seed)
    return bool(causes) and causes[0].value == guilty.value
