"""The sequential test: may be looked at after every value, for ever, and keeps its rate of false alarms.

An e-detector (Shin, Ramdas, Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change detection"): money is brought in at the
pace of time and all of it is bet on a change, by every bet of `bets` alike. Before a change no bet gains on average, so what lies on the table
is on average no more than what was brought in. Money is counted in weeks. An alarm at 1/level weeks therefore happens at most `level` times a
week on average, however often one looks and however many such tests depend on each other; the sums of all levels is the promise (`promise`).
"""

import sys
from functools import cache
from typing import Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.bets import against
from loopline_monitoring.detection.bins import Bins
from loopline_monitoring.detection.kinds import Value
from loopline_monitoring.detection.sketch import Sketch

WEEK_S: Final = 7 * 86400.0
# What a silence brings in at most: a gap is no evidence.
_LONGEST_S: Final = 3600.0
RECENT: Final = 128
# Of the last so many the ids are kept too.
NAMED: Final = 32
_TICKS: Final = 8
_LATEST: Final = 2**32 - 1
CEILING: Final = 1e12
# Beyond this a factor says no more.
_MOST: Final = 50.0
# Fewer independent values than this are no baseline.
FEWEST: Final = 30.0


@cache
def _same(labels: tuple[str, ...]) -> tuple[str, ...]:
    """One copy for all signals that have these."""
    return labels


@cache
def _parts(bets: int) -> NDArray[np.float64]:
    return np.full(bets, 1 / bets)


class Sequential:
    """One signal against one baseline, for as long as that holds.

    Keeps the last 128 values' bins and times, and the last 32 ids, to say since when, how and where values changed.
    """

    __slots__ = (
        "_abouts",
        "_bins",
        "_epoch",
        "_factors",
        "_inflation",
        "_labels",
        "_last",
        "_money",
        "_places",
        "_sampled",
        "_seen",
        "_times",
        "_worth",
    )

    def __init__(self, bins: Bins, worth: float, inflation: float, sampled: float) -> None:
        self._bins, self._worth, self._inflation, self._sampled = bins, worth, inflation, sampled
        bets = against(bins, worth, inflation, sampled)
        self._labels = _same(tuple(bet.label for bet in bets))
        pays = np.stack([bet.pays for bet in bets], axis=1)
        # [bins, bets]: what a value of a bin multiplies each bet's money by.
        self._factors: NDArray[np.float32] = np.exp(np.clip(pays, -_MOST, _MOST)).astype(np.float32)
        self._clear()

    def _clear(self) -> None:
        self._money = np.zeros(len(self._labels))
        self._seen = 0
        self._last = 0.0
        self._places = np.zeros(RECENT, np.uint8)
        # Eighths of a second since the first value.
        self._epoch = 0.0
        self._times = np.zeros(RECENT, np.uint32)
        self._abouts: list[str] = []

    @classmethod
    def against(cls, baseline: Sketch) -> "Sequential":
        """A test of "values still come from the baseline"."""
        inflation = baseline.blocks.inflation()
        seen = baseline.count + baseline.missing + baseline.odd
        return cls(Bins.of(baseline), seen / inflation, inflation, baseline.sampled())

    @property
    def enough(self) -> bool:
        """Whether the baseline holds enough independent values to bet against."""
        return self._worth >= FEWEST

    @property
    def evalue(self) -> float:
        """The money on the table, in weeks: reject at 1 / level."""
        return float(self._money.dot(_parts(len(self._money)))) if self.enough else 0.0

    def add(self, value: Value, at: float, about: str = "", ceiling: float = CEILING) -> float:
        """One more value at its event time, s; returns the evidence now, in weeks.

        `ceiling`, in weeks, is what the evidence never passes, so that it can come down again.
        """
        if not self.enough:
            return 0.0
        place = self._bins.place(value)
        slot = self._seen % RECENT
        waited = at - self._last if self._seen else _LONGEST_S
        self._seen += 1
        if waited > 0.0 or self._seen == 1:
            self._last = at
            if self._seen == 1:
                self._epoch = at
        self._places[slot] = place
        self._times[slot] = min(int((self._last - self._epoch) * _TICKS), _LATEST)
        if len(self._abouts) < NAMED:
            self._abouts.append(about)
        else:
            self._abouts[(self._seen - 1) % NAMED] = about
        money = self._money
        if waited > 0.0:
            money += (waited if waited < _LONGEST_S else _LONGEST_S) / WEEK_S
        money *= self._factors[place]
        evidence = float(money.dot(_parts(len(money))))
        if evidence > ceiling:
            money *= ceiling / evidence
            return ceiling
        return evidence

    def quiet(self, level: float) -> bool:
        """Whether an alarm at this level has lost its evidence."""
        return self.evalue < 0.01 / level

    def restart(self) -> None:
        """Forgets all values; the baseline stays."""
        self._clear()

    @property
    def leaning(self) -> str:
        """The change most believed in, in words; empty without any evidence."""
        return self._labels[int(self._money.argmax())] if self._money.any() else ""

    def profile(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times, [n <= 128], and how likely a change just before each is: the log-likelihood ratio under the leading bet."""
        order = self._recent(RECENT)
        gains = self._gains(order)
        return self._epoch + self._times[order] / _TICKS, np.cumsum(gains[::-1])[::-1]

    def _gains(self, order: NDArray[np.int64]) -> NDArray[np.float64]:
        gains: NDArray[np.float64] = np.log(
            self._factors[self._places[order], int(self._money.argmax())], dtype=np.float64
        )
        return gains

    @property
    def onset(self) -> float:
        """Since when, as event time; 0.0 before the first value."""
        times, likelihood = self.profile()
        return float(times[int(likelihood.argmax())]) if len(times) else 0.0

    def abouts(self, most: int = 5) -> tuple[str, ...]:
        """The ids of values since the onset that speak most for the change."""
        _, likelihood = self.profile()
        if not len(likelihood):
            return ()
        order = self._recent(min(NAMED, len(likelihood) - int(likelihood.argmax())))
        numbers = np.arange(self._seen - len(order), self._seen)
        named = [self._abouts[int(number) % NAMED] for number in numbers]
        strongest = sorted(zip(self._gains(order).tolist(), named, strict=True), key=lambda pair: -pair[0])
        return tuple(dict.fromkeys(name for gain, name in strongest if name and gain > 0))[:most]

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Of each bin, [bins]: its share in the baseline, its share since the onset, its name."""
        _, likelihood = self.profile()
        order = self._recent(len(likelihood) - int(likelihood.argmax()) if len(likelihood) else 0)
        before = np.array(self._bins.counts)
        after = np.bincount(self._places[order], minlength=len(before)).astype(np.float64)
        names = tuple(self._bins.name(place) for place in range(len(before)))
        return before / max(1.0, before.sum()), after / max(1.0, after.sum()), names

    def _recent(self, most: int) -> NDArray[np.int64]:
        """The slots of the last values, in the order they came."""
        held = min(self._seen, most)
        return np.arange(self._seen - held, self._seen) % RECENT

    def to_bytes(self) -> bytes:
        """All of it."""
        parts = [
            self._money.tobytes(),
            self._seen,
            self._last,
            self._epoch,
            self._places.tobytes(),
            self._times.tobytes(),
        ]
        fixed = [self._bins.to_plain(), self._worth, self._inflation, self._sampled]
        packed: bytes = msgpack.packb([1, fixed, parts, self._abouts])
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sequential":
        """What `to_bytes` gave, to the last digit."""
        _, (bins, *fixed), (money, seen, last, epoch, places, times), abouts = msgpack.unpackb(data)
        made = cls(Bins.from_plain(bins), *fixed)
        made._money, made._seen, made._last, made._epoch = np.frombuffer(money).copy(), seen, last, epoch
        made._places, made._times = np.frombuffer(places, np.uint8).copy(), np.frombuffer(times, np.uint32).copy()
        made._abouts = [sys.intern(about) for about in abouts]
        return made
