"""The sequential test: may be looked at after every value, for ever, and keeps its rate of false alarms.

An e-detector (Shin, Ramdas, Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change detection"): money is brought in at the
pace of time and all of it is bet on a change, by every bet of `bets` alike. Before a change no bet gains on average, so what lies on the table
is on average no more than what was brought in. Money is counted in weeks. An alarm at 1/level weeks therefore happens at most `level` times a
week on average, however often one looks and however many such tests depend on each other; the sums of all levels is the promise (`promise`).
"""

import sys
from array import array
from collections.abc import Sequence
from functools import cache
from typing import Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.bets import against
from loopline_monitoring.detection.bins import Bins
from loopline_monitoring.detection.kinds import Held, Value, clean
from loopline_monitoring.detection.sketch import Sketch

WEEK_S: Final = 7 * 86400.0
# What a silence brings in at most: a gap is no evidence.
LONGEST_S: Final = 3600.0
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
        "_epoch",
        "_factors",
        "_inflation",
        "_labels",
        "_money",
        "_places",
        "_sampled",
        "_times",
        "_worth",
        "bins",
        "enough",
        "last",
        "seen",
    )

    def __init__(self, bins: Bins, worth: float, inflation: float, sampled: float) -> None:
        self.bins, self._worth, self._inflation, self._sampled = bins, worth, inflation, sampled
        bets = against(bins, worth, inflation, sampled)
        self._labels = _same(tuple(bet.label for bet in bets))
        pays = np.stack([bet.pays for bet in bets], axis=1)
        # [bins, bets]: what a value of a bin multiplies each bet's money by.
        self._factors: NDArray[np.float32] = np.exp(np.clip(pays, -_MOST, _MOST)).astype(np.float32)
        # Whether the baseline holds enough independent values to bet against.
        self.enough = worth >= FEWEST
        self._money = np.zeros(len(self._labels))
        self._clear()

    def _clear(self) -> None:
        self.seen = 0
        self.last = 0.0
        self._places = bytearray(RECENT)
        # Eighths of a second since the first value.
        self._epoch = 0.0
        self._times = array("I", bytes(4 * RECENT))
        self._abouts: list[str] = []

    @classmethod
    def against(cls, baseline: Sketch) -> "Sequential":
        """A test of "values still come from the baseline"."""
        inflation = baseline.blocks.inflation()
        seen = baseline.count + baseline.missing + baseline.odd
        return cls(Bins.of(baseline), seen / inflation, inflation, baseline.sampled())

    @property
    def evalue(self) -> float:
        """The money on the table, in weeks: reject at 1 / level."""
        return float(self._money.dot(_parts(len(self._money)))) if self.enough else 0.0

    def add(self, value: Value, at: float, about: str = "", ceiling: float = CEILING) -> float:
        """One more value at its event time, s; returns the evidence now, in weeks.

        `ceiling`, in weeks, is what the evidence never passes, so that it can come down again.
        """
        return self.hold(clean(self.bins.kind, value, self.bins.width), at, about, ceiling)

    def hold(self, held: Held, at: float, about: str = "", ceiling: float = CEILING) -> float:
        """The same of a value as its kind holds it."""
        if not self.enough:
            return 0.0
        place = self.bins.seat(held)
        seen = self.seen
        waited = at - self.last if seen else LONGEST_S
        if not seen:
            self.last = self._epoch = at
        elif waited > 0.0:
            self.last = at
        slot = seen % RECENT
        self._places[slot] = place
        self._times[slot] = min(int((self.last - self._epoch) * _TICKS), _LATEST)
        if seen < NAMED:
            self._abouts.append(about)
        else:
            self._abouts[seen % NAMED] = about
        self.seen = seen + 1
        money = self._money
        if waited > 0.0:
            money += (waited if waited < LONGEST_S else LONGEST_S) / WEEK_S
        money *= self._factors[place]
        return self.cap(ceiling)

    def cap(self, ceiling: float) -> float:
        """The evidence, held at the ceiling."""
        evidence = float(self._money.dot(_parts(len(self._money))))
        if evidence > ceiling:
            self._money *= ceiling / evidence
            return ceiling
        return evidence

    @property
    def shape(self) -> tuple[int, int]:
        """Bins and bets."""
        bins, bets = self._factors.shape
        return bins, bets

    def moved_into(self, factors: NDArray[np.float32], money: NDArray[np.float64]) -> None:
        """Its factors, [bins, bets], and money, [bets], lie there from now on, and others may bet with them."""
        factors[:], money[:] = self._factors, self._money
        self._factors, self._money = factors, money

    def told(self, places: bytes, ats: Sequence[float], abouts: Sequence[str]) -> None:
        """Up to 128 values that others bet on: their bins, times that never fall, ids. One was seen before."""
        ticks = np.minimum((np.array(ats) - self._epoch) * _TICKS, _LATEST)
        times = array("I", ticks.astype(np.uint32).tobytes())
        slot = self.seen % RECENT
        rest = RECENT - slot
        self._places[slot : slot + len(places)], self._times[slot : slot + len(places)] = places[:rest], times[:rest]
        self._places[: len(places[rest:])], self._times[: len(places[rest:])] = places[rest:], times[rest:]
        for number, about in enumerate(abouts, self.seen):
            if number < NAMED:
                self._abouts.append(about)
            else:
                self._abouts[number % NAMED] = about
        self.seen += len(places)
        self.last = ats[-1]

    def quiet(self, level: float) -> bool:
        """Whether an alarm at this level has lost its evidence."""
        return self.evalue < 0.01 / level

    def restart(self) -> None:
        """Forgets all values; the baseline stays."""
        self._money[:] = 0.0
        self._clear()

    @property
    def leaning(self) -> str:
        """The change most believed in, in words; empty without any evidence."""
        return self._labels[int(self._money.argmax())] if self._money.any() else ""

    def profile(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times, [n <= 128], and how likely a change just before each is: the log-likelihood ratio under the leading bet."""
        order = self._recent(RECENT)
        gains = self._gains(order)
        times = np.frombuffer(self._times, np.uint32)[order]
        return self._epoch + times / _TICKS, np.cumsum(gains[::-1])[::-1]

    def _gains(self, order: NDArray[np.int64]) -> NDArray[np.float64]:
        places = np.frombuffer(self._places, np.uint8)[order]
        gains: NDArray[np.float64] = np.log(self._factors[places, int(self._money.argmax())], dtype=np.float64)
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
        numbers = np.arange(self.seen - len(order), self.seen)
        named = [self._abouts[int(number) % NAMED] for number in numbers]
        strongest = sorted(zip(self._gains(order).tolist(), named, strict=True), key=lambda pair: -pair[0])
        return tuple(dict.fromkeys(name for gain, name in strongest if name and gain > 0))[:most]

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Of each bin, [bins]: its share in the baseline, its share since the onset, its name."""
        _, likelihood = self.profile()
        order = self._recent(len(likelihood) - int(likelihood.argmax()) if len(likelihood) else 0)
        before = np.array(self.bins.counts)
        after = np.bincount(np.frombuffer(self._places, np.uint8)[order], minlength=len(before)).astype(np.float64)
        names = tuple(self.bins.name(place) for place in range(len(before)))
        return before / max(1.0, before.sum()), after / max(1.0, after.sum()), names

    def _recent(self, most: int) -> NDArray[np.int64]:
        """The slots of the last values, in the order they came."""
        held = min(self.seen, most)
        return np.arange(self.seen - held, self.seen) % RECENT

    def to_bytes(self) -> bytes:
        """All of it."""
        parts = [
            self._money.tobytes(),
            self.seen,
            self.last,
            self._epoch,
            bytes(self._places),
            self._times.tobytes(),
        ]
        fixed = [self.bins.to_plain(), self._worth, self._inflation, self._sampled]
        packed: bytes = msgpack.packb([1, fixed, parts, self._abouts])
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sequential":
        """What `to_bytes` gave, to the last digit."""
        _, (bins, *fixed), (money, seen, last, epoch, places, times), abouts = msgpack.unpackb(data)
        made = cls(Bins.from_plain(bins), *fixed)
        made._money, made.seen, made.last, made._epoch = np.frombuffer(money).copy(), seen, last, epoch
        made._places, made._times = bytearray(places), array("I", times)
        made._abouts = [sys.intern(about) for about in abouts]
        return made
