"""Streams without drift, and with a planted one, that tests and benchmarks share; seeded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection import Kind, Value

Numbers = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Stream:
    """`before` is agreed as normal, `after` is what follows."""

    family: str
    kind: Kind
    before: list[Value]
    after: list[Value]


def _normal(rng: Generator, length: int) -> Numbers:
    return rng.normal(size=length)


def _heavy(rng: Generator, length: int) -> Numbers:
    makers: Sequence[Callable[[], Numbers]] = (
        lambda: rng.standard_cauchy(length),
        lambda: rng.standard_t(2, length),
        lambda: rng.lognormal(0, 2, length),
        lambda: rng.pareto(1.2, length),
    )
    return makers[int(rng.integers(4))]()


def _rate(rng: Generator, length: int) -> Numbers:
    return (rng.random(length) < rng.choice([0.002, 0.02, 0.2, 0.5])).astype(float)


def _seasonal(rng: Generator, length: int) -> Numbers:
    """A day of 1,440 values."""
    return rng.choice([0.3, 1.0, 2.0]) * np.sin(2 * np.pi * np.arange(length) / 1440) + rng.normal(size=length)


def _bursty(rng: Generator, length: int) -> Numbers:
    """Values that hang together, or that jump for a while."""
    if rng.random() < 0.5:
        keep, noise = rng.choice([0.5, 0.9, 0.97]), rng.normal(size=length)
        made = np.zeros(length)
        for place in range(1, length):
            made[place] = keep * made[place - 1] + noise[place]
        return made
    turns, on = rng.random(length), np.zeros(length, bool)
    for place in range(1, length):
        on[place] = turns[place] < (0.95 if on[place - 1] else 0.01)
    return rng.normal(size=length) + 3.0 * on


def _names(rng: Generator, length: int) -> list[Value]:
    if rng.random() < 0.3:
        drawn, again = rng.integers(0, 5, length), rng.random(length) < 0.8
        for place in range(1, length):
            if again[place]:
                drawn[place] = drawn[place - 1]
        return [f"name {number}" for number in drawn]
    many = int(rng.choice([3, 30, 200]))
    return [f"name {number}" for number in rng.choice(many, length, p=rng.dirichlet(np.ones(many)))]


NUMERIC: dict[str, Callable[[Generator, int], Numbers]] = {
    "normal": _normal,
    "heavy-tailed": _heavy,
    "rates": _rate,
    "seasonal": _seasonal,
    "bursty": _bursty,
}


def still(family: str, seed: int, before: int, after: int, vectors: NDArray[np.float32] | None = None) -> Stream:
    """A stream whose values never change their distribution; `vectors` are the real questions that embeddings are drawn from."""
    rng = np.random.default_rng([seed, sum(family.encode())])
    values: list[Value]
    kind = Kind.NUMERIC
    if family == "names":
        values, kind = _names(rng, before + after), Kind.CATEGORICAL
    elif family == "embeddings":
        if vectors is None:
            raise ValueError("embeddings are drawn from vectors: give some")
        values, kind = list(vectors[rng.integers(0, len(vectors), before + after)]), Kind.VECTOR
    else:
        values = list(NUMERIC[family](rng, before + after).tolist())
    return Stream(family, kind, values[:before], values[before:])
