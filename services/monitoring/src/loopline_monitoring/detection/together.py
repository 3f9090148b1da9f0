"""Signals that the same facts tell: their tests bet in one turn, as arrays over all of them, and their values wait to be put into sketches.

What comes out is to the last digit what comes out signal by signal, for a fraction of the work.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.frequent import group
from loopline_monitoring.detection.kinds import LARGEST, LONGEST_NAME, Kind, Value
from loopline_monitoring.detection.sequential import LONGEST_S, WEEK_S, Sequential

# So many facts wait at most.
MOST_WAITING: Final = 64
_Numbers = NDArray[np.float64]


class Together:
    """Tests of numbers and names, each of which has seen a value; numbers come before names."""

    def __init__(self, tests: Sequence[Sequential]) -> None:
        self._tests = tests
        self._numeric = sum(test.bins.kind is Kind.NUMERIC for test in tests)
        self._names = [(test.bins.names, test.bins.values - 1) for test in tests[self._numeric :]]
        bins, bets = (np.array(sizes) for sizes in zip(*(test.shape for test in tests), strict=True))
        # [bins of all tests, most bets] and [tests, most bets]; where a test has fewer bets, nothing is won. `_rows`: each test's first bin.
        self._factors = np.zeros((bins.sum(), bets.max()), np.float32)
        self._money = np.zeros((len(tests), bets.max()))
        self._rows = np.cumsum(bins) - bins
        for test, first, money in zip(tests, self._rows.tolist(), self._money, strict=True):
            held, ways = test.shape
            test.moved_into(self._factors[first : first + held, :ways], money[:ways])
        self._shares = 1 / bets
        # [numeric tests, edges], beyond a test's own ones infinite.
        self._edges = np.full((self._numeric, max((len(test.bins.edges) for test in tests), default=0)), np.inf)
        for row, test in zip(self._edges, tests, strict=False):
            row[: len(test.bins.edges)] = test.bins.edges
        self._last = np.array([test.last for test in tests])
        # What waits, [tests, facts]; the facts of test i from `_begun[i]` on.
        self._places = np.zeros((len(tests), MOST_WAITING), np.uint8)
        self._numbers = np.zeros((self._numeric, MOST_WAITING), np.float32)
        self._named: list[list[str]] = []
        self._ats: list[float] = []
        self._abouts: list[str] = []
        self._begun = [0] * len(tests)

    @property
    def waiting(self) -> int:
        """Facts that wait."""
        return len(self._ats)

    def bet(self, values: Sequence[Value], at: float, about: str) -> _Numbers | None:
        """One fact's values, in the order of the tests; the evidence of each, [tests], in weeks. None, and nothing taken, where one is none."""
        told, names = values[: self._numeric], values[self._numeric :]
        if not ({*map(type, told)} <= {float} and {*map(type, names)} <= {str}):
            return None
        numbers = np.array(told, np.float64)
        if not (np.abs(numbers) <= LARGEST).all() or not all(0 < len(name) <= LONGEST_NAME for name in names):  # type: ignore[arg-type]
            return None
        number = len(self._ats)
        self._numbers[:, number] = numbers
        places = self._places[:, number]
        places[: self._numeric] = (self._numbers[:, number, np.newaxis] >= self._edges).sum(axis=1)
        places[self._numeric :] = [
            known.get(name, new) if known else group(name)  # type: ignore[arg-type]
            for name, (known, new) in zip(names, self._names, strict=True)
        ]
        brought = np.minimum(np.maximum(at - self._last, 0.0), LONGEST_S) / WEEK_S
        np.maximum(self._last, at, out=self._last)
        self._money += brought[:, np.newaxis]
        self._money *= self._factors[self._rows + places]
        self._named.append(names)  # type: ignore[arg-type]
        self._ats.append(at)
        self._abouts.append(about)
        evidence: _Numbers = self._money.sum(axis=1) * self._shares
        return evidence

    def taken(self, place: int) -> tuple[NDArray[np.float32] | list[str], list[float], list[str]]:
        """What waited of one test, which has it now, for its sketch: values, times as told, ids."""
        begun, self._begun[place] = self._begun[place], len(self._ats)
        ats, abouts = self._ats[begun:], self._abouts[begun:]
        test = self._tests[place]
        if ats:
            latest = np.maximum.accumulate((test.last, *ats))[1:].tolist()
            test.told(self._places[place, begun : len(self._ats)].tobytes(), latest, abouts)
        if place < self._numeric:
            return self._numbers[place, begun : len(self._ats)], ats, abouts
        return [names[place - self._numeric] for names in self._named[begun:]], ats, abouts

    def cap(self, place: int, ceiling: float) -> None:
        """What the evidence of one test never passes, in weeks."""
        self._tests[place].cap(ceiling)

    def emptied(self) -> None:
        """Begins anew, once all is taken."""
        self._named, self._ats, self._abouts = [], [], []
        self._begun = [0] * len(self._tests)
